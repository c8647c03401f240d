#include "element.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace grapnel::host {
namespace {

template <class T>
T raw(std::span<const std::byte> data, std::size_t index) {
  T value;
  std::memcpy(&value, data.data() + index * sizeof(T), sizeof(T));
  return value;
}

template <class T>
double plain(std::span<const std::byte> data, std::size_t index) {
  return static_cast<double>(raw<T>(data, index));
}

double bf16(std::span<const std::byte> data, std::size_t index) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(raw<std::uint16_t>(data, index)) << 16);
}

// A floating-point number of `exponent_bits` and `mantissa_bits` with a sign in front.
double small_float(unsigned bits, int exponent_bits, int mantissa_bits, bool has_infinity) {
  const unsigned exponent_mask = (1U << exponent_bits) - 1;
  const unsigned exponent = bits >> mantissa_bits & exponent_mask;
  const unsigned mantissa = bits & ((1U << mantissa_bits) - 1);
  const double sign = (bits >> (exponent_bits + mantissa_bits) & 1) != 0 ? -1.0 : 1.0;
  const int bias = static_cast<int>(exponent_mask >> 1);
  if (exponent == exponent_mask) {
    if (has_infinity) {
      return mantissa == 0 ? sign * std::numeric_limits<double>::infinity()
                           : std::numeric_limits<double>::quiet_NaN();
    }
    if (mantissa == (1U << mantissa_bits) - 1) return std::numeric_limits<double>::quiet_NaN();
  }
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp(mantissa + (1U << mantissa_bits),
                           static_cast<int>(exponent) - bias - mantissa_bits);
}

double f16(std::span<const std::byte> data, std::size_t index) {
  return small_float(raw<std::uint16_t>(data, index), 5, 10, true);
}
double f8_e4m3(std::span<const std::byte> data, std::size_t index) {
  return small_float(raw<std::uint8_t>(data, index), 4, 3, false);
}
double f8_e5m2(std::span<const std::byte> data, std::size_t index) {
  return small_float(raw<std::uint8_t>(data, index), 5, 2, true);
}

struct Reader {
  std::string_view dtype;
  ReadElement read;
};

constexpr Reader readers[] = {
    {"F64", plain<double>},
    {"F32", plain<float>},
    {"F16", f16},
    {"BF16", bf16},
    {"F8_E4M3", f8_e4m3},
    {"F8_E5M2", f8_e5m2},
    {"I64", plain<std::int64_t>},
    {"I32", plain<std::int32_t>},
    {"I16", plain<std::int16_t>},
    {"I8", plain<std::int8_t>},
    {"U64", plain<std::uint64_t>},
    {"U32", plain<std::uint32_t>},
    {"U16", plain<std::uint16_t>},
    {"U8", plain<std::uint8_t>},
    {"BOOL", plain<std::uint8_t>},
};

}  // namespace

ReadElement element_reader(std::string_view dtype) noexcept {
  for (const Reader& reader : readers) {
    if (reader.dtype == dtype) return reader.read;
  }
  return nullptr;
}

}  // namespace grapnel::host
