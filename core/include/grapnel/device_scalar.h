// A number that may still be on its device.
//
// Metrics are logged every step and read now and then. On the CPU the number is read at once; a
// value on another device stays there until the number is needed, and is fetched once.
#pragma once

#include <ATen/core/Tensor.h>

#include "grapnel/export.h"

namespace grapnel {

class GRAPNEL_CORE_API DeviceScalar {
 public:
  DeviceScalar() = default;
  DeviceScalar(double number) : number_(number) {}
  // tensor: one element of any floating or integer type; copied, so later writes have no effect.
  explicit DeviceScalar(const at::Tensor& tensor);

  double number() const;  // waits for the device at the first call
  bool on_device() const { return tensor_.defined(); }
  // Undefined once the number has been fetched.
  const at::Tensor& tensor() const { return tensor_; }

  DeviceScalar operator+(const DeviceScalar& other) const;
  // this + other * factor, in one operation on the device.
  DeviceScalar plus(const DeviceScalar& other, double factor) const;
  DeviceScalar operator*(double factor) const;
  DeviceScalar operator/(double divisor) const;
  static DeviceScalar max(const DeviceScalar& a, const DeviceScalar& b);
  static DeviceScalar min(const DeviceScalar& a, const DeviceScalar& b);

 private:
  // Of a new tensor with no other owner: not copied.
  static DeviceScalar own(at::Tensor result);

  mutable double number_ = 0.0;
  mutable at::Tensor tensor_;  // float32 or float64, 0-dimensional; reset once fetched
};

}  // namespace grapnel
