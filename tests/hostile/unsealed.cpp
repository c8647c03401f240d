// Nothing wrong with its code, but it was built without grapnel_add_plugin(): it exports functions of its
// own, shares inline variables across libraries (unique symbols), and needs the system's C++ runtime.
#include <string>
#include <vector>

#include <grapnel/plugin.hpp>

#pragma GCC visibility push(default)
template <class T>
struct Shared {
  static inline std::vector<T> values;
};
std::string exported_by_mistake() {
  return std::to_string(Shared<int>::values.size());
}
#pragma GCC visibility pop

class Unsealed final : public grapnel::plugin::Callback {
 public:
  void on_fit_start(Event& event) override { event.log_info(exported_by_mistake()); }
};

GRAPNEL_PLUGIN(grapnel::plugin::callback<Unsealed>(HOSTILE_NAME))
