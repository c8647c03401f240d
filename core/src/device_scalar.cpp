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

namespace grapnel {

namespace {

at::Tensor as_tensor(const DeviceScalar& scalar, const at::Tensor& like) {
  if (scalar.on_device()) return scalar.tensor();
  return at::scalar_tensor(scalar.number(), like.options());
}

template <class OnTensors, class OnNumbers>
DeviceScalar combine(const DeviceScalar& a, const DeviceScalar& b, OnTensors on_tensors,
                     OnNumbers on_numbers) {
  if (!a.on_device() && !b.on_device()) return {on_numbers(a.number(), b.number())};
  const at::Tensor& like = a.on_device() ? a.tensor() : b.tensor();
  return DeviceScalar(on_tensors(as_tensor(a, like), as_tensor(b, like)));
}

}  // namespace

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
  return combine(
      *this, other, [](auto x, auto y) { return x + y; }, [](double x, double y) { return x + y; });
}

DeviceScalar DeviceScalar::operator*(double factor) const {
  if (!on_device()) return {number_ * factor};
  return DeviceScalar(tensor_ * factor);
}

DeviceScalar DeviceScalar::operator/(double divisor) const {
  if (!on_device()) return {number_ / divisor};
  return DeviceScalar(tensor_ / divisor);
}

// A NaN wins over every number, as in torch.max and torch.min.
DeviceScalar DeviceScalar::max(const DeviceScalar& a, const DeviceScalar& b) {
  return combine(
      a, b, [](auto x, auto y) { return at::maximum(x, y); },
      [](double x, double y) { return std::isnan(x) || x > y ? x : y; });
}

DeviceScalar DeviceScalar::min(const DeviceScalar& a, const DeviceScalar& b) {
  return combine(
      a, b, [](auto x, auto y) { return at::minimum(x, y); },
      [](double x, double y) { return std::isnan(x) || x < y ? x : y; });
}

}  // namespace grapnel
