#include "grapnel/data/idx.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>

#include "grapnel/base/error.h"
#include "grapnel/base/platform.h"

namespace grapnel {

namespace {

constexpr size_t kMaxDimensions = 8;

struct IdxType {
  int code;
  c10::ScalarType type;
};
constexpr IdxType kTypes[] = {{0x08, at::kByte}, {0x09, at::kChar},  {0x0B, at::kShort},
                              {0x0C, at::kInt},  {0x0D, at::kFloat}, {0x0E, at::kDouble}};

int byte_at(std::span<const std::byte> bytes, size_t i) {
  return std::to_integer<int>(bytes[i]);
}

int64_t big_endian_32(std::span<const std::byte> bytes, size_t i) {
  return (int64_t{byte_at(bytes, i)} << 24) | (byte_at(bytes, i + 1) << 16) |
         (byte_at(bytes, i + 2) << 8) | byte_at(bytes, i + 3);
}

// The likely format of a file that doesn't start with two zeros; empty: unknown.
std::string found_instead(std::span<const std::byte> bytes) {
  if (bytes.size() < 4) return fmt::format("it has only {} bytes", bytes.size());
  if (byte_at(bytes, 0) == 0x1f && byte_at(bytes, 1) == 0x8b) {
    return "it is compressed with gzip; unpack it with `gunzip`";
  }
  return fmt::format(
      "it starts with {:02x} {:02x} {:02x} {:02x}, not with two zeros, a type and a "
      "number of dimensions",
      byte_at(bytes, 0), byte_at(bytes, 1), byte_at(bytes, 2), byte_at(bytes, 3));
}

}  // namespace

at::Tensor parse_idx(std::span<const std::byte> bytes, const std::filesystem::path& name) {
  const auto refuse = [&name](const std::string& why) {
    throw DataError("not a well-formed IDX file: " + why, name);
  };
  if (bytes.size() < 4 || byte_at(bytes, 0) != 0 || byte_at(bytes, 1) != 0) {
    refuse(found_instead(bytes));
  }
  const int code = byte_at(bytes, 2);
  const auto type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                 [code](const IdxType& known) { return known.code == code; });
  if (type == std::end(kTypes)) {
    refuse(
        fmt::format("its type is {:#04x}; known are 0x08, 0x09, 0x0b, 0x0c, 0x0d and 0x0e", code));
  }
  const size_t dimensions = static_cast<size_t>(byte_at(bytes, 3));
  if (dimensions == 0 || dimensions > kMaxDimensions) {
    refuse(fmt::format("it has {} dimensions; 1 to {} are accepted", dimensions, kMaxDimensions));
  }
  const size_t header = 4 + 4 * dimensions;
  if (bytes.size() < header) {
    refuse(fmt::format("its header of {} bytes is cut off after {}", header, bytes.size()));
  }
  const size_t width = c10::elementSize(type->type);
  std::vector<int64_t> shape;
  uint64_t expected = width;
  bool is_empty = false;
  const auto refuse_shape = [&] {
    refuse(fmt::format("its shape [{}...] has more numbers than any file", fmt::join(shape, ", ")));
  };
  for (size_t i = 0; i < dimensions; ++i) {
    shape.push_back(big_endian_32(bytes, 4 + 4 * i));
    const uint64_t size = static_cast<uint64_t>(shape.back());
    if (size == 0) {
      is_empty = true;
      continue;
    }
    if (expected > std::numeric_limits<uint64_t>::max() / size) refuse_shape();
    expected *= size;
  }
  if (is_empty) {
    // The strides of a tensor without numbers must fit all the same.
    if (expected > uint64_t{std::numeric_limits<int64_t>::max()}) refuse_shape();
    expected = 0;
  }
  if (bytes.size() - header != expected) {
    refuse(fmt::format("its shape [{}] needs {} bytes of numbers, it has {}",
                       fmt::join(shape, ", "), expected, bytes.size() - header));
  }
  at::Tensor tensor = at::empty(shape, type->type);
  auto* out = static_cast<std::byte*>(tensor.mutable_data_ptr());
  const std::span<const std::byte> data = bytes.subspan(header);
  static_assert(std::endian::native == std::endian::little);
  for (size_t i = 0; i < data.size(); i += width) {
    std::reverse_copy(data.begin() + i, data.begin() + i + width, out + i);
  }
  return tensor;
}

at::Tensor read_idx(const std::filesystem::path& path) {
  const MappedFile file = MappedFile::map(path);
  return parse_idx(file.bytes(), path);
}

}  // namespace grapnel
