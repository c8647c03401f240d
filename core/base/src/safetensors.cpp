// The format's facts and the writer; reading: safetensors_file.cpp.
#include <grapnel/base/json.h>
#include <grapnel/base/safetensors.h>
#include <grapnel/base/text.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "tensor_size.h"

namespace grapnel {
namespace {

constexpr std::uint64_t alignment = 64;

struct DType {
  std::string_view name;
  std::size_t size;
};

constexpr std::array<DType, 15> dtypes = {{
    {"F64", 8},
    {"F32", 4},
    {"F16", 2},
    {"BF16", 2},
    {"F8_E4M3", 1},
    {"F8_E5M2", 1},
    {"I64", 8},
    {"I32", 4},
    {"I16", 2},
    {"I8", 1},
    {"U64", 8},
    {"U32", 4},
    {"U16", 2},
    {"U8", 1},
    {"BOOL", 1},
}};

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
  throw std::invalid_argument("tensor " + quote(name) + " " + why);
}

}  // namespace

std::optional<std::size_t> dtype_size(std::string_view dtype) noexcept {
  for (const DType& entry : dtypes) {
    if (entry.name == dtype) return entry.size;
  }
  return std::nullopt;
}

void SafetensorsWriter::add(TensorView tensor) {
  if (tensor.name.empty() || tensor.name == "__metadata__" || !is_utf8(tensor.name)) {
    refuse(tensor.name, "has a name that the format does not accept");
  }
  if (!names_.insert(tensor.name).second) refuse(tensor.name, "was added twice");
  const auto item_size = dtype_size(tensor.dtype);
  if (!item_size) refuse(tensor.name, "has the unknown dtype " + quote(tensor.dtype));
  const auto size = detail::tensor_bytes(tensor.shape, *item_size);
  if (!size) refuse(tensor.name, "has a shape that is negative or too large");
  if (*size != tensor.bytes.size()) {
    refuse(tensor.name, "has " + std::to_string(tensor.bytes.size()) +
                            " bytes, its dtype and shape need " + std::to_string(*size));
  }
  tensors_.push_back(std::move(tensor));
}

void SafetensorsWriter::set_metadata(std::string key, std::string text) {
  if (!is_utf8(key) || !is_utf8(text)) {
    throw std::invalid_argument("metadata " + quote(key) + " is not UTF-8");
  }
  for (auto& [known, value] : metadata_) {
    if (known == key) {
      value = std::move(text);
      return;
    }
  }
  metadata_.emplace_back(std::move(key), std::move(text));
}

std::vector<const TensorView*> SafetensorsWriter::layout() const {
  std::vector<const TensorView*> order;
  for (const TensorView& tensor : tensors_) order.push_back(&tensor);
  std::stable_sort(order.begin(), order.end(), [](const TensorView* a, const TensorView* b) {
    return *dtype_size(a->dtype) > *dtype_size(b->dtype);
  });
  return order;
}

std::string SafetensorsWriter::header() const {
  // Written piece by piece: a ConfigValue of many tensors would search its keys again and again.
  std::string json = "{";
  const auto comma = [&] {
    if (json.size() > 1) json += ',';
  };
  if (!metadata_.empty()) {
    ConfigValue texts = ConfigValue::object();
    for (const auto& [key, text] : metadata_) texts.set(key, text);
    json += "\"__metadata__\":" + write_json(texts);
  }
  std::uint64_t offset = 0;
  for (const TensorView* tensor : layout()) {
    ConfigValue entry = ConfigValue::object();
    entry.set("dtype", tensor->dtype);
    entry.set("shape", ConfigValue(tensor->shape));
    const std::uint64_t end = offset + tensor->bytes.size();
    entry.set("data_offsets", ConfigValue(std::vector<std::uint64_t>{offset, end}));
    offset = end;
    comma();
    json += write_json(ConfigValue(tensor->name)) + ":" + write_json(entry);
  }
  json += '}';
  const std::uint64_t used = (8 + json.size()) % alignment;
  if (used != 0) json.append(alignment - used, ' ');
  if (json.size() > SafetensorsFile::max_header_bytes) {
    throw std::length_error("a safetensors header of " + human_bytes(json.size()) +
                            " is more than readers accept (100 MB); store less metadata");
  }
  return json;
}

void SafetensorsWriter::write(const ByteSink& sink) const {
  const std::string json = header();
  std::array<std::byte, 8> length{};
  for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<std::byte>(json.size() >> (8 * i));
  sink(length);
  sink(std::as_bytes(std::span(json)));
  for (const TensorView* tensor : layout()) {
    if (!tensor->bytes.empty()) sink(tensor->bytes);
  }
}

std::uint64_t SafetensorsWriter::file_size() const {
  std::uint64_t size = 8 + header().size();
  for (const TensorView& tensor : tensors_) size += tensor.bytes.size();
  return size;
}

}  // namespace grapnel
