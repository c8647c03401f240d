// A number that may still be on its device.
//
// Metrics are logged every step and looked at now and then. On the CPU the number is taken at once;
// a value on another device stays there, and is fetched, once, by whoever needs the number.
#pragma once

#include <ATen/core/Tensor.h>

#include "grapnel/export.h"

namespace grapnel {

class GRAPNEL_CORE_API DeviceScalar {
 public:
  DeviceScalar() = default;
  DeviceScalar(double number) : number_(number) {}
  // tensor: one element, any floating or integer type; copied, so that later writes don't show.
  explicit DeviceScalar(const at::Tensor& tensor);

  double number() const;  // waits for the device at the first call
  bool on_device() const { return tensor_.defined(); }
  // Undefined when the number is already here.
  const at::Tensor& tensor() const { return tensor_; }

  DeviceScalar operator+(const DeviceScalar& other) const;
  // this + other * factor, in one operation on the device.
  DeviceScalar plus(const DeviceScalar& other, double factor) const;
  DeviceScalar operator*(double factor) const;
  DeviceScalar operator/(double divisor) const;
  static DeviceScalar max(const DeviceScalar& a, const DeviceScalar& b);
  static DeviceScalar min(const DeviceScalar& a, const DeviceScalar& b);

 private:
  // Of a result that nobody else has: not copied.
  static DeviceScalar own(at::Tensor result);

  mutable double number_ = 0.0;
  mutable at::Tensor tensor_;  // float32 or float64, 0-dimensional; reset once fetched
};

}  // namespace grapnel
