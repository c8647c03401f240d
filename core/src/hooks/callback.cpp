#include "grapnel/callback.h"

#include <fmt/format.h>

#include "grapnel/base/error.h"
#include "values/type_name.h"

namespace grapnel {

Callback::~Callback() = default;

std::string Callback::type_name() const {
  return unqualified_name(typeid(*this));
}

std::string Callback::state_key() const {
  return name_.empty() ? type_name() : name_;
}
std::vector<std::string> Callback::former_state_keys() const {
  return {};
}

void Callback::before_weights_loaded(LoadCheckpoint&) {}

StateDict Callback::state_dict() const {
  return {};
}

void Callback::load_state_dict(const StateDict&) {}

void refuse_null_callback() {
  throw ConfigError({}, "a callback is null; pass std::make_shared<YourCallback>(...)");
}

void refuse_base_pointer(const Callback& callback) {
  throw ConfigError({},
                    "callback " + callback.type_name() +
                        " was passed as a pointer to its base class, which hides the hooks that it "
                        "overrides; pass the shared_ptr of its own type");
}

}  // namespace grapnel
