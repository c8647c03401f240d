// The constructor of its callback throws.
#include <stdexcept>

#include <grapnel/plugin.hpp>

class Thrower final : public grapnel::plugin::Callback {
 public:
  explicit Thrower(const Params&) { throw std::runtime_error("not built today"); }
};

GRAPNEL_PLUGIN(grapnel::plugin::callback<Thrower>(HOSTILE_NAME))
