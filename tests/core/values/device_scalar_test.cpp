#include "grapnel/device_scalar.h"

#include <ATen/ATen.h>
#include <ATen/record_function.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string_view>

#include "catch.h"

namespace device_scalar_test {

using namespace grapnel;

namespace {

// On no real device: has a type and a shape, and its operations are counted.
DeviceScalar somewhere() {
  return DeviceScalar(at::empty({1}, at::TensorOptions().device(at::kMeta)));
}

thread_local int t_operations = 0;
thread_local int t_depth = 0;

// Operations that a call makes, without those that make up another.
template <class F>
int operations_of(F&& call) {
  const auto start =
      [](const at::RecordFunction& function) -> std::unique_ptr<at::ObserverContext> {
    const std::string_view name = function.name();
    for (const char* counted :
         {"aten::add", "aten::mul", "aten::div", "aten::maximum", "aten::minimum", "aten::copy_",
          "aten::clone", "aten::to", "aten::fill_", "aten::scalar_tensor"}) {
      if (t_depth == 0 && name == counted) ++t_operations;
    }
    ++t_depth;
    return nullptr;
  };
  const auto end = [](const at::RecordFunction&, at::ObserverContext*) { --t_depth; };
  at::RecordFunctionCallback callback(start, end);
  t_operations = 0;
  const auto handle = at::addThreadLocalCallback(callback.scopes({at::RecordScope::FUNCTION}));
  call();
  at::removeCallback(handle);
  return t_operations;
}

}  // namespace

TEST_CASE("a DeviceScalar takes CPU numbers at once and computes with them") {
  const DeviceScalar a(at::scalar_tensor(3, at::kLong));
  const DeviceScalar b(0.5);
  CHECK_FALSE(a.on_device());
  CHECK((a + b).number() == 3.5);
  CHECK(a.plus(b, 4).number() == 5.0);
  CHECK((a * 2).number() == 6.0);
  CHECK((a / 2).number() == 1.5);
  CHECK(DeviceScalar::max(a, b).number() == 3.0);
  CHECK(DeviceScalar::min(a, b).number() == 0.5);
}

TEST_CASE("DeviceScalar's min and max with a NaN are NaN, from either side") {
  const DeviceScalar nan(std::numeric_limits<double>::quiet_NaN());
  CHECK(std::isnan(DeviceScalar::max(nan, 1.0).number()));
  CHECK(std::isnan(DeviceScalar::max(1.0, nan).number()));
  CHECK(std::isnan(DeviceScalar::min(nan, 1.0).number()));
  CHECK(std::isnan(DeviceScalar::min(1.0, nan).number()));
}

TEST_CASE("DeviceScalar arithmetic on a device is one operation each, without a copy to the CPU") {
  const DeviceScalar a = somewhere();
  const DeviceScalar b = somewhere();
  CHECK(a.on_device());
  CHECK(a.tensor().dim() == 0);
  CHECK(operations_of([&] { a + b; }) == 1);
  CHECK(operations_of([&] { a.plus(b, 8); }) == 1);
  CHECK(operations_of([&] { DeviceScalar(0.0).plus(b, 8); }) == 1);
  CHECK(operations_of([&] { DeviceScalar(0.0).plus(b, 1); }) == 0);
  CHECK(operations_of([&] { a * 2; }) == 1);
  CHECK(operations_of([&] { a / 2; }) == 1);
  CHECK(operations_of([&] { DeviceScalar::max(a, b); }) == 1);
  CHECK(operations_of([&] { somewhere(); }) == 1);  // the copy against later writes
}

}  // namespace device_scalar_test
