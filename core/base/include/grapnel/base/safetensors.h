// The safetensors format: named tensors in one mappable file that holds nothing executable.
//
//   8 bytes   length N of the header, little-endian
//   N bytes   JSON: {"__metadata__": {"key": "text"}, "name": {"dtype": "F32", "shape": [2, 3],
//             "data_offsets": [begin, end]}, ...}, padded with spaces
//   the rest  raw little-endian data; offsets count from here; no holes, no overlaps
//
// Rule: files are untrusted. Every claim is checked before it is used; a forged one
// is a DataError, never a crash and never a large allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <grapnel/base/export.h>

namespace grapnel {

class File;

// Bytes of one element of a dtype's name (F64, F32, F16, BF16, F8_E4M3, F8_E5M2, I64, I32, I16, I8,
// U64, U32, U16, U8, BOOL); nullopt for any other name.
[[nodiscard]] GRAPNEL_BASE_API std::optional<std::size_t> dtype_size(
    std::string_view dtype) noexcept;

// Keys and texts of "__metadata__", in the file's order.
using SafetensorsMetadata = std::vector<std::pair<std::string, std::string>>;

// A tensor to be written. `bytes` is borrowed: row-major, little-endian, as large as dtype and
// shape say. A shape of {} is a scalar.
struct TensorView {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
};

// A tensor that a file holds.
struct TensorEntry {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;  // offsets from the start of the data
  std::uint64_t end = 0;
  [[nodiscard]] std::uint64_t size() const noexcept { return end - begin; }  // bytes
};

using ByteSink = std::function<void(std::span<const std::byte>)>;

// Lays tensors out and streams them. The data starts at a multiple of 64 bytes in the file, and
// tensors are ordered by falling size of their elements (in the order they were added within one
// size, which is all that the format's "no holes" leaves), so that each is aligned when mapped.
class GRAPNEL_BASE_API SafetensorsWriter {
 public:
  // std::invalid_argument: empty or repeated name, "__metadata__", a name or text that is not
  // UTF-8, an unknown dtype, a negative size, bytes that don't match dtype and shape.
  void add(TensorView tensor);
  void set_metadata(std::string key, std::string text);

  // Sends the whole file to the sink in order. std::length_error when the header would be larger
  // than readers accept. What the sink throws goes through.
  void write(const ByteSink& sink) const;
  // Bytes of the whole file.
  [[nodiscard]] std::uint64_t file_size() const;

 private:
  [[nodiscard]] std::vector<const TensorView*> layout() const;
  [[nodiscard]] std::string header() const;

  std::vector<TensorView> tensors_;
  std::unordered_set<std::string> names_;
  SafetensorsMetadata metadata_;
};

enum class FileAccess : std::uint8_t {
  map,     // pages are read when touched; see MappedFile about files that shrink
  copy,    // read into memory at once: safe against a file that changes meanwhile
  stream,  // only the header is kept in memory; data by read() and visit(), not by bytes()
};

class GRAPNEL_BASE_API SafetensorsFile {
 public:
  static constexpr std::uint64_t max_header_bytes = 100'000'000;

  // IoError when it can't be read, DataError when it is not a well-formed safetensors file.
  static SafetensorsFile open(const std::filesystem::path& path,
                              FileAccess access = FileAccess::map);
  // The same from memory; errors use `name` as the path.
  static SafetensorsFile from_bytes(std::vector<std::byte> bytes,
                                    const std::filesystem::path& name);

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  // In the order of their data.
  [[nodiscard]] const std::vector<TensorEntry>& tensors() const noexcept { return tensors_; }
  // nullptr when there is none.
  [[nodiscard]] const TensorEntry* find(std::string_view name) const noexcept;
  // Borrowed from this object. `tensor` must be one of tensors(). std::logic_error for a stream.
  [[nodiscard]] std::span<const std::byte> bytes(const TensorEntry& tensor) const;
  // Copies the tensor's bytes to `into`, which must have its size, and shows each piece to `seen`
  // while it is in the processor's cache. IoError, DataError when the file was cut meanwhile.
  void read(const TensorEntry& tensor, std::span<std::byte> into, const ByteSink& seen) const;
  // The tensor's bytes in order, in pieces.
  void visit(const TensorEntry& tensor, const ByteSink& sink) const;
  [[nodiscard]] const SafetensorsMetadata& metadata() const noexcept { return metadata_; }
  // nullptr when there is none.
  [[nodiscard]] const std::string* metadata(std::string_view key) const noexcept;
  // Where the data starts; the header's bytes and its length come before.
  [[nodiscard]] std::uint64_t data_offset() const noexcept { return data_offset_; }
  // Every byte before the data: the header and its length.
  [[nodiscard]] std::span<const std::byte> header_bytes() const noexcept {
    return bytes_.first(static_cast<std::size_t>(data_offset_));
  }
  [[nodiscard]] std::uint64_t file_size() const noexcept { return file_size_; }

 private:
  SafetensorsFile(std::filesystem::path path, std::span<const std::byte> bytes,
                  std::uint64_t file_size, std::shared_ptr<const void> owner,
                  std::shared_ptr<const File> file = nullptr);
  static SafetensorsFile open_stream(const std::filesystem::path& path);
  void read_header(std::string_view text);

  std::filesystem::path path_;
  std::span<const std::byte> bytes_;  // the whole file; of a stream, its start
  std::uint64_t file_size_;
  std::shared_ptr<const void> owner_;  // keeps bytes_ alive
  std::shared_ptr<const File> file_;   // of a stream
  std::vector<TensorEntry> tensors_;
  std::vector<std::size_t> by_name_;  // indices into tensors_, sorted by name
  SafetensorsMetadata metadata_;
  std::uint64_t data_offset_ = 0;
};

}  // namespace grapnel
