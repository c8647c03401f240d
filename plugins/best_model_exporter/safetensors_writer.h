// Writes a safetensors file atomically: a reader sees either the old file or the new one.
//
//   length of the header (u64, little-endian), header (JSON), the elements of all tensors,
//   little-endian, row-major, without gaps (https://huggingface.co/docs/safetensors)
//
// The bytes go to a temporary file in the same directory, which is renamed once everything is on
// the disk. A writer that is destroyed before commit() removes it; what a killed one leaves is removed
// by the next training (temporaries.h).
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#if !defined(_WIN32)
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#endif

#include <grapnel/plugin.hpp>

#include "temporaries.h"

namespace safetensors {

/// "F32", ... and the size of an element in bytes; size 0: not supported by the format.
struct TypeName {
  const char* name;
  std::size_t size;
};

inline TypeName type_name(grapnel::plugin::Dtype dtype) {
  using grapnel::plugin::Dtype;
  switch (dtype) {
    case Dtype::u8:
      return {"U8", 1};
    case Dtype::i8:
      return {"I8", 1};
    case Dtype::i16:
      return {"I16", 2};
    case Dtype::i32:
      return {"I32", 4};
    case Dtype::i64:
      return {"I64", 8};
    case Dtype::f16:
      return {"F16", 2};
    case Dtype::f32:
      return {"F32", 4};
    case Dtype::f64:
      return {"F64", 8};
    case Dtype::boolean:
      return {"BOOL", 1};
    case Dtype::bf16:
      return {"BF16", 2};
  }
  return {"", 0};
}

/// A JSON string. text: UTF-8.
inline std::string json_string(std::string_view text) {
  static const char* const digits = "0123456789abcdef";
  std::string json = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (byte < 0x20) {
      json += std::string("\\u00") + digits[byte >> 4] + digits[byte & 15];
    } else {
      json += c;
    }
  }
  return json + "\"";
}

/// The header; tensors are added in the order of their data.
class Header {
 public:
  /// metadata: name to value.
  explicit Header(const std::vector<std::pair<std::string, std::string>>& metadata) {
    json_ = "{\"__metadata__\":{";
    for (std::size_t i = 0; i < metadata.size(); ++i) {
      json_ += (i == 0 ? "" : ",") + json_string(metadata[i].first) + ":" +
               json_string(metadata[i].second);
    }
    json_ += "}";
  }

  void add(std::string_view name, const TypeName& type, const std::vector<std::int64_t>& sizes,
           std::uint64_t bytes) {
    json_ += "," + json_string(name) + ":{\"dtype\":" + json_string(type.name) + ",\"shape\":[";
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      json_ += (i == 0 ? "" : ",") + std::to_string(sizes[i]);
    }
    json_ += "],\"data_offsets\":[" + std::to_string(offset_) + "," +
             std::to_string(offset_ + bytes) + "]}";
    offset_ += bytes;
  }

  /// The beginning of the file, padded so that the data is aligned to 8 bytes.
  std::string bytes() const {
    std::string json = json_ + "}";
    json.append((8 - json.size() % 8) % 8, ' ');
    std::string length(8, '\0');
    for (std::size_t i = 0; i < 8; ++i) {
      length[i] = static_cast<char>(json.size() >> (8 * i) & 0xff);
    }
    return length + json;
  }

 private:
  std::string json_;
  std::uint64_t offset_ = 0;
};

/// All functions throw grapnel::plugin::Error with the file and the system's message.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
    std::error_code error;
    std::filesystem::create_directories(path_.parent_path(), error);
    if (error) fail(error);
    temporary_ = new_temporary(path_);
    file_ = std::fopen(temporary_.string().c_str(), "wb");
    if (file_ == nullptr) fail_errno();
#if !defined(_WIN32)
    // Some file systems have no locks; the process's id has to do there.
    static_cast<void>(flock(fileno(file_), LOCK_EX | LOCK_NB));
#endif
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() {
    if (file_ != nullptr) std::fclose(file_);
    std::error_code ignored;  // a destructor cannot report it
    if (!temporary_.empty()) std::filesystem::remove(temporary_, ignored);
  }

  void write(const void* data, std::size_t bytes) {
    if (bytes > 0 && std::fwrite(data, 1, bytes, file_) != bytes) fail_errno();
  }

  /// Puts the file in place.
  void commit() {
    if (std::fflush(file_) != 0) fail_errno();
#if !defined(_WIN32)
    if (fsync(fileno(file_)) != 0) fail_errno();
#endif
    if (std::fclose(std::exchange(file_, nullptr)) != 0) fail_errno();
    std::error_code error;
    std::filesystem::rename(temporary_, path_, error);
    if (error) fail(error);
    temporary_.clear();
    sync_directory();
  }

 private:
  // So that the new name survives a crash of the machine. Some file systems can't sync a directory;
  // the file is complete anyway.
  void sync_directory() const {
#if !defined(_WIN32)
    const int directory = open(path_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return;
    static_cast<void>(fsync(directory));
    close(directory);
#endif
  }
  [[noreturn]] void fail_errno() const {
    fail({errno, std::generic_category()});
  }
  [[noreturn]] void fail(const std::error_code& error) const {
    throw grapnel::plugin::Error("cannot write '" + path_.string() + "': " + error.message() +
                                 "; what was there before is untouched");
  }

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  std::FILE* file_ = nullptr;
};

}  // namespace safetensors
