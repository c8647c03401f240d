// Reads untrusted safetensors files.
#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/json.h>
#include <grapnel/base/platform.h>
#include <grapnel/base/safetensors.h>
#include <grapnel/base/text.h>

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "tensor_size.h"

namespace grapnel {
namespace {

// The header's JSON costs memory many times its size, so its parts are counted as well: a tensor
// has at least 8 of them in 60 bytes.
constexpr std::size_t max_header_values = 16'000'000;
constexpr std::size_t max_dimensions = 64;

// What is read at once: small enough to be still in the processor's cache when it is looked at.
constexpr std::size_t piece_bytes = std::size_t{256} << 10;

void read_exactly(const File& file, std::uint64_t offset, std::span<std::byte> into) {
  while (!into.empty()) {
    const std::size_t count = file.read_at(offset, into);
    if (count == 0) {
      throw DataError("truncated while it was read: it ends at byte " + std::to_string(offset),
                      file.path());
    }
    offset += count;
    into = into.subspan(count);
  }
}

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
                                 std::uint64_t file_size, std::shared_ptr<const void> owner,
                                 std::shared_ptr<const File> file)
    : path_(std::move(path)),
      bytes_(bytes),
      file_size_(file_size),
      owner_(std::move(owner)),
      file_(std::move(file)) {
  if (file_size_ < 8) {
    throw DataError("a safetensors file has at least 8 bytes, found " + std::to_string(file_size_) +
                        "; it is truncated or not a safetensors file",
                    path_);
  }
  const std::uint64_t length = read_length(bytes_);
  // No other format starts with the length of a text that starts with a brace.
  const bool has_brace = file_size_ > 8 && std::to_integer<char>(bytes_[8]) == '{';
  if (length > max_header_bytes && length <= file_size_ - 8 && has_brace) {
    throw DataError("its header has " + std::to_string(length) + " bytes, at most " +
                        std::to_string(max_header_bytes) +
                        " are accepted; split it into files with fewer tensors",
                    path_);
  }
  if (length < 2 || length > max_header_bytes || (file_size_ > 8 && !has_brace)) {
    throw DataError("this is not a safetensors file (it does not start with a header)", path_);
  }
  if (length > file_size_ - 8) {
    throw DataError("truncated: the header ends at byte " + std::to_string(8 + length) +
                        ", the file at byte " + std::to_string(file_size_),
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
  const std::uint64_t data_size = file_size_ - data_offset_;
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
    return {path, mapped->bytes(), mapped->bytes().size(), mapped};
  }
  if (access == FileAccess::stream) return open_stream(path);
  auto content = std::make_shared<std::string>(read_file(path, UINT64_MAX));
  return {path, std::as_bytes(std::span(*content)), content->size(), content};
}

SafetensorsFile SafetensorsFile::open_stream(const std::filesystem::path& path) {
  auto file = std::make_shared<File>(File::open(path, OpenMode::read));
  const FileIdentity identity = file->identity();
  if (identity.kind != FileKind::regular) {
    throw IoError("read", path, identity.kind == FileKind::directory ? EISDIR : 0,
                  "it is not a regular file");
  }
  // As much as the constructor looks at; of something else no more than its start.
  auto start = std::make_shared<std::vector<std::byte>>(std::min<std::uint64_t>(identity.size, 9));
  read_exactly(*file, 0, *start);
  if (start->size() == 9 && std::to_integer<char>(start->back()) == '{') {
    const std::uint64_t length = read_length(*start);
    if (length <= max_header_bytes && length <= identity.size - 8) {
      start->resize(static_cast<std::size_t>(std::max<std::uint64_t>(8 + length, 9)));
      read_exactly(*file, 9, std::span(*start).subspan(9));
    }
  }
  return {path, *start, identity.size, start, file};
}

SafetensorsFile SafetensorsFile::from_bytes(std::vector<std::byte> bytes,
                                            const std::filesystem::path& name) {
  auto content = std::make_shared<std::vector<std::byte>>(std::move(bytes));
  return {name, *content, content->size(), content};
}

const TensorEntry* SafetensorsFile::find(std::string_view name) const noexcept {
  const auto found = std::lower_bound(
      by_name_.begin(), by_name_.end(), name,
      [&](std::size_t index, std::string_view wanted) { return tensors_[index].name < wanted; });
  if (found == by_name_.end() || tensors_[*found].name != name) return nullptr;
  return &tensors_[*found];
}

std::span<const std::byte> SafetensorsFile::bytes(const TensorEntry& tensor) const {
  if (file_ != nullptr) throw std::logic_error("bytes() of a safetensors file that is a stream");
  return bytes_.subspan(static_cast<std::size_t>(data_offset_ + tensor.begin),
                        static_cast<std::size_t>(tensor.size()));
}

void SafetensorsFile::read(const TensorEntry& tensor, std::span<std::byte> into,
                           const ByteSink& seen) const {
  for (std::uint64_t done = 0; done < tensor.size();) {
    const auto piece = into.subspan(static_cast<std::size_t>(done))
                           .first(static_cast<std::size_t>(
                               std::min<std::uint64_t>(piece_bytes, tensor.size() - done)));
    const std::uint64_t offset = data_offset_ + tensor.begin + done;
    if (file_ != nullptr) {
      read_exactly(*file_, offset, piece);
    } else {
      std::ranges::copy(bytes_.subspan(static_cast<std::size_t>(offset), piece.size()),
                        piece.begin());
    }
    seen(piece);
    done += piece.size();
  }
}

void SafetensorsFile::visit(const TensorEntry& tensor, const ByteSink& sink) const {
  if (file_ == nullptr) return sink(bytes(tensor));
  std::vector<std::byte> buffer(piece_bytes);
  for (std::uint64_t done = 0; done < tensor.size();) {
    const auto piece = std::span(buffer).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(piece_bytes, tensor.size() - done)));
    read_exactly(*file_, data_offset_ + tensor.begin + done, piece);
    sink(piece);
    done += piece.size();
  }
}

const std::string* SafetensorsFile::metadata(std::string_view key) const noexcept {
  for (const auto& [known, text] : metadata_) {
    if (known == key) return &text;
  }
  return nullptr;
}

}  // namespace grapnel
