#include "values/config_state.h"

namespace grapnel {

StateValue state_of(const ConfigValue& value) {
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
      for (const ConfigValue& element : value.as_array()) list.push_back(state_of(element));
      return list;
    }
    case ConfigValue::Kind::object:
      break;
  }
  StateDict dict;
  for (const auto& member : value.as_object()) dict[member.key] = state_of(member.value);
  return dict;
}

StateDict hyper_parameters_of(const std::string& name, const ConfigValue& parameters) {
  StateDict state = {{"name", name}};
  for (const auto& member : parameters.as_object()) state[member.key] = state_of(member.value);
  return state;
}

}  // namespace grapnel
