#include "state_json.h"

#include <ATen/core/TensorBody.h>

namespace grapnel::oracle {

Json tensor_json(const at::Tensor& tensor) {
  Json list = Json::array();
  const at::Tensor flat = tensor.detach().to(at::kCPU).to(at::kDouble).contiguous().reshape({-1});
  const double* values = flat.const_data_ptr<double>();
  for (std::int64_t i = 0; i < flat.numel(); ++i) list.append(number(values[i]));
  return list;
}

Json state_json(const StateValue& value) {
  if (value.is_bool()) return value.to_bool();
  if (value.is_int()) return value.to_int();
  if (value.is_double()) return number(value.to_double());
  if (value.is_string()) return value.to_string();
  if (value.is_tensor()) {
    Json list = tensor_json(value.to_tensor());
    return value.to_tensor().dim() == 0 ? list.as_array()[0] : list;
  }
  if (value.is_list()) {
    Json list = Json::array();
    for (const StateValue& item : value.to_list()) list.append(state_json(item));
    return list;
  }
  if (value.is_dict()) {
    Json object = Json::object();
    for (const auto& [key, item] : value.to_dict()) object.set(key, state_json(item));
    return object;
  }
  return {};
}

namespace {

StateValue from_json(const Json& value) {
  if (value.is_bool()) return value.as_bool();
  if (value.is_integer()) return value.as_int();
  if (value.is_number()) return value.as_double();
  if (value.is_string()) return value.as_string();
  if (value.is_array()) {
    StateList list;
    for (const Json& item : value.as_array()) list.push_back(from_json(item));
    return list;
  }
  if (value.is_object()) return state_from_json(value);
  return {};
}

}  // namespace

StateDict state_from_json(const Json& object) {
  StateDict state;
  for (const auto& [key, value, line, column] : members(object)) state[key] = from_json(value);
  return state;
}

}  // namespace grapnel::oracle
