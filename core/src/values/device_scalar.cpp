#include "grapnel/device_scalar.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_local_scalar_dense.h>
#include <ATen/ops/add.h>
#include <ATen/ops/div.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/scalar_tensor.h>

#include <cmath>
#include <utility>

namespace grapnel {

namespace {

at::Tensor as_tensor(const DeviceScalar& scalar, const at::Tensor& like) {
  if (scalar.on_device()) return scalar.tensor();
  return at::scalar_tensor(scalar.number(), like.options());
}

template <class OnTensors>
at::Tensor combine(const DeviceScalar& a, const DeviceScalar& b, OnTensors on_tensors) {
  const at::Tensor& like = a.on_device() ? a.tensor() : b.tensor();
  return on_tensors(as_tensor(a, like), as_tensor(b, like));
}

bool neither_on_device(const DeviceScalar& a, const DeviceScalar& b) {
  return !a.on_device() && !b.on_device();
}

}  // namespace

DeviceScalar DeviceScalar::own(at::Tensor result) {
  DeviceScalar scalar;
  scalar.tensor_ = std::move(result);
  return scalar;
}

DeviceScalar::DeviceScalar(const at::Tensor& tensor) {
  if (tensor.is_cpu()) {
    number_ = tensor.item().toDouble();
    return;
  }
  tensor_ = tensor.detach().reshape({});
  tensor_ = tensor_.scalar_type() == at::kDouble ? tensor_.clone()
                                                 : tensor_.to(at::kFloat, false, /*copy=*/true);
}

double DeviceScalar::number() const {
  if (tensor_.defined()) {
    number_ = tensor_.item().toDouble();
    tensor_.reset();
  }
  return number_;
}

DeviceScalar DeviceScalar::operator+(const DeviceScalar& other) const {
  return plus(other, 1.0);
}

DeviceScalar DeviceScalar::plus(const DeviceScalar& other, double factor) const {
  if (neither_on_device(*this, other)) return {number_ + other.number_ * factor};
  if (!other.on_device()) return own(tensor_ + other.number_ * factor);
  if (on_device()) return own(at::add(tensor_, other.tensor_, factor));
  // The first value of a sum: its beginning is 0, and nothing needs adding to it.
  const at::Tensor product = factor == 1.0 ? other.tensor_ : other.tensor_ * factor;
  return own(number_ == 0.0 ? product : product + number_);
}

DeviceScalar DeviceScalar::operator*(double factor) const {
  if (!on_device()) return {number_ * factor};
  return own(tensor_ * factor);
}

DeviceScalar DeviceScalar::operator/(double divisor) const {
  if (!on_device()) return {number_ / divisor};
  return own(tensor_ / divisor);
}

// A NaN wins over every number, as in torch.max and torch.min.
DeviceScalar DeviceScalar::max(const DeviceScalar& a, const DeviceScalar& b) {
  if (neither_on_device(a, b)) return std::isnan(a.number_) || a.number_ > b.number_ ? a : b;
  return own(combine(a, b, [](auto x, auto y) { return at::maximum(x, y); }));
}

DeviceScalar DeviceScalar::min(const DeviceScalar& a, const DeviceScalar& b) {
  if (neither_on_device(a, b)) return std::isnan(a.number_) || a.number_ < b.number_ ? a : b;
  return own(combine(a, b, [](auto x, auto y) { return at::minimum(x, y); }));
}

}  // namespace grapnel
