// Reads untrusted safetensors files.
#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/json.h>
#include <grapnel/base/platform.h>
#include <grapnel/base/safetensors.h>
#include <grapnel/base/text.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "tensor_size.h"

namespace grapnel {
namespace {

// The header's JSON costs memory many times its size, so its parts are counted as well: a tensor
// has at least 8 of them in 60 bytes.
constexpr std::size_t max_header_values = 16'000'000;
constexpr std::size_t max_dimensions = 64;

std::uint64_t read_length(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  return value;
}

std::uint64_t read_offset(const ConfigValue& value) {
  const std::int64_t offset = value.as_int("data_offsets");
  if (offset < 0) throw value.error("an offset is negative");
  return static_cast<std::uint64_t>(offset);
}

TensorEntry read_tensor(const ConfigValue::Member& member) {
  TensorEntry tensor;
  tensor.name = member.key;
  const ConfigValue& value = member.value;
  if (tensor.name.empty()) throw ConfigError(member.key_position(), "a tensor has no name");
  for (const ConfigValue::Member& entry : value.as_object(member.key)) {
    if (entry.key != "dtype" && entry.key != "shape" && entry.key != "data_offsets") {
      throw ConfigError(entry.key_position(), "unknown key " + quote(entry.key) + " of a tensor");
    }
  }
  tensor.dtype = value.at("dtype").as_string("dtype");
  const auto item_size = dtype_size(tensor.dtype);
  if (!item_size) throw value.at("dtype").error("unknown dtype " + quote(tensor.dtype));
  const auto& shape = value.at("shape").as_array("shape");
  if (shape.size() > max_dimensions) throw value.at("shape").error("more than 64 dimensions");
  for (const ConfigValue& size : shape) tensor.shape.push_back(size.as_int("shape"));
  const ConfigValue& offsets = value.at("data_offsets");
  if (offsets.as_array("data_offsets").size() != 2) {
    throw offsets.error("data_offsets must be [begin, end], found " + offsets.describe());
  }
  tensor.begin = read_offset(offsets.as_array()[0]);
  tensor.end = read_offset(offsets.as_array()[1]);
  if (tensor.end < tensor.begin) throw offsets.error("data_offsets end before they begin");
  const auto size = detail::tensor_bytes(tensor.shape, *item_size);
  if (!size) throw value.at("shape").error("the shape is negative or too large");
  if (*size != tensor.size()) {
    throw offsets.error("tensor " + quote(tensor.name) + " has " + std::to_string(tensor.size()) +
                        " bytes, its dtype and shape need " + std::to_string(*size));
  }
  return tensor;
}

}  // namespace

SafetensorsFile::SafetensorsFile(std::filesystem::path path, std::span<const std::byte> bytes,
                                 std::shared_ptr<const void> owner)
    : path_(std::move(path)), bytes_(bytes), owner_(std::move(owner)) {
  if (bytes_.size() < 8) {
    throw DataError("a safetensors file has at least 8 bytes, found " +
                        std::to_string(bytes_.size()) +
                        "; it is truncated or not a safetensors file",
                    path_);
  }
  const std::uint64_t length = read_length(bytes_);
  const bool starts_like_one = length >= 2 && length <= max_header_bytes &&
                               (bytes_.size() == 8 || std::to_integer<char>(bytes_[8]) == '{');
  if (!starts_like_one) {
    throw DataError("this is not a safetensors file (it does not start with a header)", path_);
  }
  if (length > bytes_.size() - 8) {
    throw DataError("truncated: the header ends at byte " + std::to_string(8 + length) +
                        ", the file at byte " + std::to_string(bytes_.size()),
                    path_);
  }
  data_offset_ = 8 + length;
  const auto header = bytes_.subspan(8, static_cast<std::size_t>(length));
  try {
    read_header({reinterpret_cast<const char*>(header.data()), header.size()});
  } catch (const ConfigError& error) {
    throw DataError(std::string("bad header: ") + error.what(), path_);
  }
}

void SafetensorsFile::read_header(std::string_view text) {
  JsonLimits limits;
  limits.max_bytes = static_cast<std::size_t>(max_header_bytes);
  limits.max_depth = 4;
  limits.max_values = max_header_values;
  const ConfigValue header = parse_json(text, "header", limits);
  for (const ConfigValue::Member& member : header.as_object()) {
    if (member.key != "__metadata__") {
      tensors_.push_back(read_tensor(member));
      continue;
    }
    for (const ConfigValue::Member& entry : member.value.as_object("__metadata__")) {
      metadata_.emplace_back(entry.key, entry.value.as_string(entry.key));
    }
  }
  std::stable_sort(tensors_.begin(), tensors_.end(), [](const auto& a, const auto& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  const std::uint64_t data_size = bytes_.size() - data_offset_;
  std::uint64_t expected = 0;
  for (const TensorEntry& tensor : tensors_) {
    if (tensor.begin != expected) {
      throw DataError("the data of tensor " + quote(tensor.name) +
                          (tensor.begin < expected ? " overlaps" : " leaves a hole after") +
                          " the one before",
                      path_);
    }
    expected = tensor.end;
  }
  if (expected > data_size) {
    throw DataError("truncated: " + std::to_string(data_size) + " bytes of data, " +
                        std::to_string(expected) + " expected",
                    path_);
  }
  if (expected < data_size) {
    throw DataError(std::to_string(data_size - expected) + " bytes at the end belong to no tensor",
                    path_);
  }
  by_name_.resize(tensors_.size());
  std::iota(by_name_.begin(), by_name_.end(), std::size_t{0});
  std::sort(by_name_.begin(), by_name_.end(),
            [&](std::size_t a, std::size_t b) { return tensors_[a].name < tensors_[b].name; });
}

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path, FileAccess access) {
  if (access == FileAccess::map) {
    auto mapped = std::make_shared<MappedFile>(MappedFile::map(path));
    return {path, mapped->bytes(), mapped};
  }
  auto content = std::make_shared<std::string>(read_file(path, UINT64_MAX));
  return {path, std::as_bytes(std::span(*content)), content};
}

SafetensorsFile SafetensorsFile::from_bytes(std::vector<std::byte> bytes,
                                            const std::filesystem::path& name) {
  auto content = std::make_shared<std::vector<std::byte>>(std::move(bytes));
  return {name, *content, content};
}

const TensorEntry* SafetensorsFile::find(std::string_view name) const noexcept {
  const auto found = std::lower_bound(
      by_name_.begin(), by_name_.end(), name,
      [&](std::size_t index, std::string_view wanted) { return tensors_[index].name < wanted; });
  if (found == by_name_.end() || tensors_[*found].name != name) return nullptr;
  return &tensors_[*found];
}

std::span<const std::byte> SafetensorsFile::bytes(const TensorEntry& tensor) const noexcept {
  return bytes_.subspan(static_cast<std::size_t>(data_offset_ + tensor.begin),
                        static_cast<std::size_t>(tensor.size()));
}

const std::string* SafetensorsFile::metadata(std::string_view key) const noexcept {
  for (const auto& [known, text] : metadata_) {
    if (known == key) return &text;
  }
  return nullptr;
}

}  // namespace grapnel
