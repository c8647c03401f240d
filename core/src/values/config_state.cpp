#include "values/config_state.h"

#include <type_traits>
#include <variant>

namespace grapnel {

StateValue state_of(const ConfigValue& value,
                    const std::function<StateValue(const ConfigValue& object)>& object) {
  switch (value.kind()) {
    case ConfigValue::Kind::null:
      return {};
    case ConfigValue::Kind::boolean:
      return value.as_bool();
    case ConfigValue::Kind::integer:
      return value.as_int();
    case ConfigValue::Kind::number:
      return value.as_double();
    case ConfigValue::Kind::string:
      return value.as_string();
    case ConfigValue::Kind::array: {
      StateList list;
      for (const ConfigValue& element : value.as_array()) list.push_back(state_of(element, object));
      return list;
    }
    case ConfigValue::Kind::object:
      break;
  }
  if (object) return object(value);
  StateDict dict;
  for (const auto& member : value.as_object()) dict[member.key] = state_of(member.value);
  return dict;
}

ConfigValue config_of(const StateValue& value) {
  return std::visit(
      [&]<class T>(const T& content) -> ConfigValue {
        if constexpr (std::is_same_v<T, std::monostate>) {
          return nullptr;
        } else if constexpr (std::is_same_v<T, at::Tensor>) {
          return value.describe();
        } else if constexpr (std::is_same_v<T, StateList>) {
          ConfigValue list = ConfigValue::array();
          for (const StateValue& item : content) list.append(config_of(item));
          return list;
        } else if constexpr (std::is_same_v<T, StateDict>) {
          ConfigValue object = ConfigValue::object();
          for (const auto& [key, item] : content) object.set(key, config_of(item));
          return object;
        } else {
          return content;
        }
      },
      value.variant());
}

StateDict hyper_parameters_of(const std::string& name, const ConfigValue& parameters) {
  StateDict state = {{"name", name}};
  for (const auto& member : parameters.as_object()) state[member.key] = state_of(member.value);
  return state;
}

}  // namespace grapnel
