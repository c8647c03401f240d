#include "grapnel/event_arguments.h"

#include "values/type_name.h"

namespace grapnel {

std::optional<bool> EventValue::as_bool() const {
  if (!value_.is_bool()) return {};
  return value_.to_bool();
}

std::optional<int64_t> EventValue::as_int() const {
  if (value_.is_int()) return value_.to_int();
  if (!value_.is_tensor() || !value_.to_tensor().defined()) return {};
  const at::Tensor& tensor = value_.to_tensor();
  if (tensor.numel() != 1 || !at::isIntegralType(tensor.scalar_type(), /*includeBool=*/false)) {
    return {};
  }
  return tensor.item().toLong();
}

std::optional<double> EventValue::as_double() const {
  if (value_.is_int() || value_.is_double()) return value_.to_double();
  if (!value_.is_tensor() || !value_.to_tensor().defined()) return {};
  const at::Tensor& tensor = value_.to_tensor();
  const at::ScalarType type = tensor.scalar_type();
  if (tensor.numel() != 1 || at::isComplexType(type) || type == at::kBool) return {};
  return tensor.item().toDouble();
}

std::optional<std::string> EventValue::as_string() const {
  if (!value_.is_string()) return {};
  return value_.to_string();
}

std::optional<at::Tensor> EventValue::as_tensor() const {
  if (!value_.is_tensor()) return {};
  return value_.to_tensor();
}

std::string EventValue::describe() const {
  if (type_ == nullptr) return value_.describe();
  return (is_const_ ? "a const object of class " : "an object of class ") +
         unqualified_name(*type_);
}

}  // namespace grapnel
