// The update of a running average in the memory of tensors: its arithmetic, and which tensors it takes.
#include <grapnel/plugin.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "catch.h"

namespace lerp_test {

namespace detail = grapnel::plugin::detail;

namespace {

struct Memory {
  std::vector<std::int64_t> sizes;
  std::vector<std::int64_t> strides;
  grapnel_tensor_info info(std::int32_t dtype = GRAPNEL_DTYPE_F32) const {
    static const double somewhere = 0;
    grapnel_tensor_info info{};
    info.struct_size = sizeof info;
    info.dtype = dtype;
    info.ndim = sizes.size();
    info.sizes = sizes.data();
    info.strides = strides.data();
    info.numel = 1;
    for (const std::int64_t size : sizes) info.numel *= size;
    info.data = &somewhere;
    return info;
  }
};

bool takes(const Memory& target, const Memory& end) {
  return detail::can_lerp_in_memory(target.info(), end.info());
}

template <class Number>
void check_values(double tolerance) {
  for (const double weight : {0.0, 0.001, 0.25, 0.499, 0.5, 0.75, 1.0, -0.75, 1.5}) {
    for (const std::int64_t count : {0, 1, 7, 64, 1001}) {
      std::vector<Number> target, end;
      for (std::int64_t i = 0; i < count; ++i) {
        target.push_back(static_cast<Number>(std::sin(static_cast<double>(i))));
        end.push_back(static_cast<Number>(std::cos(static_cast<double>(3 * i))));
      }
      const std::vector<Number> before = target;
      detail::lerp<Number>(target.data(), end.data(), count, weight);
      double largest = 0;
      for (std::size_t i = 0; i < before.size(); ++i) {
        const double exact = before[i] + weight * (static_cast<double>(end[i]) - before[i]);
        largest = std::max(largest, std::abs(exact - target[i]));
      }
      INFO("weight " << weight << ", " << count << " elements");
      CHECK(largest <= tolerance);
      if (weight == 0) CHECK(target == before);
      if (weight == 1) CHECK(target == end);
    }
  }
}

}  // namespace

TEST_CASE("an update in memory is that of the formula, and exact at both ends") {
  check_values<float>(5e-7);
  check_values<double>(1e-15);
}

TEST_CASE("an update in memory takes small tensors of one shape that lie row by row") {
  const Memory matrix{{2, 3}, {3, 1}};
  CHECK(takes(matrix, matrix));
  CHECK(takes({{}, {}}, {{}, {}}));
  CHECK(takes({{0, 3}, {3, 1}}, {{0, 3}, {3, 1}}));
  CHECK(takes({{1, 3}, {99, 1}}, {{1, 3}, {3, 1}}));
  CHECK(takes({{32'768}, {1}}, {{32'768}, {1}}));
  CHECK_FALSE(takes({{32'769}, {1}}, {{32'769}, {1}}));
  CHECK_FALSE(takes(matrix, {{3, 2}, {2, 1}}));
  CHECK_FALSE(takes(matrix, {{6}, {1}}));
  CHECK_FALSE(takes(matrix, {{2, 3}, {1, 2}}));
  CHECK_FALSE(takes({{2, 3}, {1, 2}}, matrix));
  CHECK_FALSE(takes({{2, 3}, {4, 1}}, matrix));
  CHECK_FALSE(takes(matrix, {{2, 3}, {0, 1}}));
}

TEST_CASE("an update in memory takes two tensors of float or double whose memory can be read") {
  const Memory memory{{4}, {1}};
  const auto of_type = [&](std::int32_t target, std::int32_t end) {
    return detail::can_lerp_in_memory(memory.info(target), memory.info(end));
  };
  CHECK(of_type(GRAPNEL_DTYPE_F32, GRAPNEL_DTYPE_F32));
  CHECK(of_type(GRAPNEL_DTYPE_F64, GRAPNEL_DTYPE_F64));
  CHECK_FALSE(of_type(GRAPNEL_DTYPE_F32, GRAPNEL_DTYPE_F64));
  CHECK_FALSE(of_type(GRAPNEL_DTYPE_F16, GRAPNEL_DTYPE_F16));
  CHECK_FALSE(of_type(GRAPNEL_DTYPE_I64, GRAPNEL_DTYPE_I64));
  grapnel_tensor_info elsewhere = memory.info();
  elsewhere.data = nullptr;
  CHECK_FALSE(detail::can_lerp_in_memory(elsewhere, memory.info()));
  CHECK_FALSE(detail::can_lerp_in_memory(memory.info(), elsewhere));
}

}  // namespace lerp_test
