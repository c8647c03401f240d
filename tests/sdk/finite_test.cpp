// Finite or not, read from memory: every type, at every place, and the memory that can't be read.
#include <grapnel/plugin.hpp>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "catch.h"

namespace finite_test {

namespace detail = grapnel::plugin::detail;

namespace {

struct Memory {
  std::vector<std::int64_t> sizes;
  std::vector<std::int64_t> strides;
  grapnel_tensor_info info(const void* data, std::int32_t dtype) const {
    grapnel_tensor_info info{};
    info.struct_size = sizeof info;
    info.dtype = dtype;
    info.ndim = sizes.size();
    info.sizes = sizes.data();
    info.strides = strides.data();
    info.numel = 1;
    for (const std::int64_t size : sizes) info.numel *= size;
    info.data = data;
    return info;
  }
};

std::optional<bool> finite(const void* data, std::int64_t count, std::int32_t dtype) {
  const Memory memory{{count}, {1}};
  return detail::elements_are_finite(memory.info(data, dtype));
}

// At the start, within a block, where blocks meet, in the rest behind them, at the end.
template <class T>
void check_type(std::int32_t dtype, const std::vector<T>& fine, const std::vector<T>& trouble) {
  for (const std::size_t count : {1u, 2u, 63u, 64u, 128u, 129u, 1000u, 1025u}) {
    std::vector<T> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = fine[i % fine.size()];
    CHECK(finite(values.data(), static_cast<std::int64_t>(count), dtype) == true);
    for (const std::size_t at : {std::size_t{0}, count / 3, count / 2, count - 1}) {
      for (const T& bad : trouble) {
        const T good = values[at];
        values[at] = bad;
        INFO("of " << count << " number " << at);
        CHECK(finite(values.data(), static_cast<std::int64_t>(count), dtype) == false);
        values[at] = good;
      }
    }
  }
}

}  // namespace

TEST_CASE("NaN and infinities are found among numbers of every size, and only they") {
  using F = std::numeric_limits<float>;
  using D = std::numeric_limits<double>;
  check_type<float>(GRAPNEL_DTYPE_F32, {0.f, -0.f, 1.f, F::max(), F::lowest(), F::denorm_min()},
                    {F::quiet_NaN(), -F::quiet_NaN(), F::infinity(), -F::infinity()});
  check_type<double>(GRAPNEL_DTYPE_F64, {0., -1., D::max(), D::lowest(), D::denorm_min()},
                     {D::quiet_NaN(), D::infinity(), -D::infinity()});
  // 0, -0, 1, the largest, the smallest; infinities, NaN
  check_type<std::uint16_t>(GRAPNEL_DTYPE_F16, {0, 0x8000, 0x3c00, 0x7bff, 0xfbff, 1},
                            {0x7c00, 0xfc00, 0x7e00, 0x7c01});
  check_type<std::uint16_t>(GRAPNEL_DTYPE_BF16, {0, 0x8000, 0x3f80, 0x7f7f, 0xff7f, 1},
                            {0x7f80, 0xff80, 0x7fc0, 0x7f81});
}

TEST_CASE("any order of the dimensions is read, and memory with gaps or of others is not") {
  std::vector<float> values(24, 1.0f);
  const auto finite_as = [&](const Memory& memory) {
    return detail::elements_are_finite(memory.info(values.data(), GRAPNEL_DTYPE_F32));
  };
  CHECK(finite_as({{2, 3, 4}, {12, 4, 1}}) == true);
  CHECK(finite_as({{4, 2, 3}, {1, 12, 4}}) == true);
  CHECK(finite_as({{1, 24, 1}, {7, 1, 9}}) == true);  // a stride of one element means nothing
  CHECK(finite_as({{}, {}}) == true);
  CHECK(finite_as({{2, 3}, {12, 4}}) == std::nullopt);  // gaps
  CHECK(finite_as({{4, 6}, {0, 1}}) == std::nullopt);   // expanded
  CHECK(finite_as({{3, 3}, {2, 2}}) == std::nullopt);   // overlapping
  values[23] = NAN;
  CHECK(finite_as({{2, 3, 4}, {12, 4, 1}}) == false);
  CHECK(finite_as({{4, 2, 3}, {1, 12, 4}}) == false);
  CHECK(finite_as({{0, 3}, {3, 1}}) == true);                    // nothing
  CHECK(finite(nullptr, 3, GRAPNEL_DTYPE_F32) == std::nullopt);  // on a device
  CHECK(finite(values.data(), 3, GRAPNEL_DTYPE_I32) == std::nullopt);
}

}  // namespace finite_test
