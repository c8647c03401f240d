// The container of checkpoints: tensors and one JSON document in a safetensors file whose every
// byte is covered by a checksum. What the tensors and the document mean is core's business.
//
//   __metadata__["grapnel"]        the document, compact JSON, "format_version" first
//   __metadata__["grapnel.xxh3"]   JSON: XXH3-64 of each tensor by name, and of the document as ""
//   last tensor                    "grapnel.header_sha256" U8[32]: SHA-256 of every byte before the
//                                  data, which are the header and its length
//
// So the digest covers the checksums and they cover the data: a byte is hashed once, at the speed
// of memory. Files of the first builds end with "grapnel.checksum" U8[32] instead, SHA-256 of every
// byte of the file before it; they are read too. docs/checkpoint_format.md is the specification.
//
// Rules: a file appears whole or not at all; a reader verifies before it hands anything out. Names
// that start with "grapnel." are the container's. Python's `safetensors` reads these files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/base/digest.h>
#include <grapnel/base/error.h>
#include <grapnel/base/export.h>
#include <grapnel/base/files.h>
#include <grapnel/base/json.h>
#include <grapnel/base/safetensors.h>

namespace grapnel {

// Raised when older programs can no longer read the file. Readers accept 1 up to theirs.
inline constexpr std::int64_t checkpoint_format_version = 1;

struct WrittenCheckpoint {
  std::uint64_t bytes = 0;  // size of the file
  Sha256Digest sha256{};    // the digest in it
};

// Writes the file through AtomicFile. `document` must be an object without "format_version";
// std::invalid_argument for that and for what SafetensorsWriter::add() refuses. IoError when the
// disk is full or the like: then the target is as it was and no temporary file is left.
GRAPNEL_BASE_API WrittenCheckpoint
write_checkpoint_file(const std::filesystem::path& path, std::span<const TensorView> tensors,
                      const ConfigValue& document, Durability durability = Durability::durable);

enum class CheckpointCheck : std::uint8_t {
  whole_file,  // everything when opened: reads the whole file once
  on_use,      // the header and the document when opened, each tensor when it is read
};

class GRAPNEL_BASE_API CheckpointFile {
 public:
  // CheckpointError that says what is wrong and what to do: not a checkpoint (and what it is
  // instead, where that can be told), truncated, damaged (naming the tensors that differ), written
  // by a newer version. IoError when the file can't be read.
  static CheckpointFile open(const std::filesystem::path& path,
                             CheckpointCheck check = CheckpointCheck::whole_file,
                             FileAccess access = FileAccess::map);

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return file_.path(); }
  // As it was written, without "format_version". Positions in it name the file.
  [[nodiscard]] const ConfigValue& document() const noexcept { return document_; }
  [[nodiscard]] std::int64_t format_version() const noexcept { return format_version_; }
  [[nodiscard]] std::uint64_t file_size() const noexcept { return file_.file_size(); }
  // The recorded SHA-256: with the same digest two files hold the same.
  [[nodiscard]] const Sha256Digest& sha256() const noexcept { return sha256_; }

  // In the order of their data, without the container's own.
  [[nodiscard]] const std::vector<TensorEntry>& tensors() const noexcept { return tensors_; }
  [[nodiscard]] const TensorEntry* find(std::string_view name) const noexcept;
  // The tensor or CheckpointError naming the nearest one.
  [[nodiscard]] const TensorEntry& at(std::string_view name) const;
  // Borrowed from this object. With on_use the tensor's checksum is verified at every call
  // (CheckpointError). `tensor` must be one of tensors(). std::logic_error for a stream.
  [[nodiscard]] std::span<const std::byte> bytes(const TensorEntry& tensor) const;
  // Copies the tensor's bytes to `into`, which must have its size, and verifies its checksum in the
  // same pass, whatever check the file was opened with. CheckpointError, IoError.
  void read(const TensorEntry& tensor, std::span<std::byte> into) const;
  // The recorded XXH3-64 of a tensor of tensors(), 16 hexadecimal digits.
  [[nodiscard]] const std::string& checksum(const TensorEntry& tensor) const;
  // Names of the tensors whose data differs from the recorded checksum.
  [[nodiscard]] std::vector<std::string> damaged_tensors() const;
  // The header is not covered before the whole file is: a file of the first builds.
  [[nodiscard]] bool covers_header_last() const noexcept { return covers_header_last_; }
  // Verifies every byte, as whole_file does.
  void verify() const;

 private:
  CheckpointFile(SafetensorsFile file, CheckpointCheck check);
  void read_document();
  void read_checksums();
  void read_digest();
  void visit(const TensorEntry& tensor, const ByteSink& sink) const;
  [[noreturn]] void refuse_damage(const std::string& what) const;

  SafetensorsFile file_;
  CheckpointCheck check_;
  ConfigValue document_;
  std::int64_t format_version_ = 0;
  Sha256Digest sha256_{};
  bool covers_header_last_ = false;
  std::vector<TensorEntry> tensors_;
  std::vector<std::string> checksums_;  // parallel to tensors_
};

}  // namespace grapnel
