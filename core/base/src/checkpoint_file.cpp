#include <grapnel/base/checkpoint_file.h>
#include <grapnel/base/platform.h>
#include <grapnel/base/text.h>

#include <algorithm>
#include <array>
#include <limits>
#include <stdexcept>
#include <unordered_map>
#include <vector>

namespace grapnel {
namespace {

constexpr std::string_view reserved_prefix = "grapnel.";
constexpr std::string_view digest_tensor = "grapnel.header_sha256";
constexpr std::string_view older_digest_tensor = "grapnel.checksum";
constexpr std::string_view document_key = "grapnel";
constexpr std::string_view checksums_key = "grapnel.xxh3";
constexpr std::string_view version_key = "format_version";
constexpr std::string_view use_another =
    "; restore it from a copy, or resume from another checkpoint";

JsonLimits document_limits() {
  JsonLimits limits;
  limits.max_bytes = SafetensorsFile::max_header_bytes;
  limits.max_depth = 512;
  limits.max_values = 16'000'000;
  return limits;
}

// Refuses what parse_json() would refuse when the file is read.
class ReadableDocument {
 public:
  explicit ReadableDocument(const JsonLimits& limits)
      : limits_(limits), left_(limits.max_values - 2) {}  // format_version

  void check(const ConfigValue& value, std::size_t depth = 0) {
    count();
    if (!value.is_array() && !value.is_object()) return;
    if (depth == limits_.max_depth) {
      refuse("is nested deeper than " + std::to_string(limits_.max_depth));
    }
    if (value.is_array()) {
      for (const ConfigValue& item : value.as_array()) check(item, depth + 1);
      return;
    }
    std::vector<std::string_view> keys;
    for (const auto& member : value.as_object()) {
      count();
      keys.push_back(member.key);
      check(member.value, depth + 1);
    }
    std::ranges::sort(keys);
    const auto twice = std::ranges::adjacent_find(keys);
    if (twice != keys.end()) refuse("has the key " + quote(*twice) + " twice");
  }

 private:
  void count() {
    if (left_-- == 0) {
      refuse("has more than " + std::to_string(limits_.max_values) + " keys and values");
    }
  }
  [[noreturn]] static void refuse(const std::string& what) {
    throw std::invalid_argument("a checkpoint's document could not be read back: it " + what);
  }

  JsonLimits limits_;
  std::size_t left_;
};

std::string document_text(const ConfigValue& document) {
  if (!document.is_object() || document.contains(version_key)) {
    throw std::invalid_argument(
        "a checkpoint's document must be an object without the key 'format_version'");
  }
  ReadableDocument(document_limits()).check(document);
  std::string text = "{\"" + std::string(version_key) +
                     "\":" + std::to_string(checkpoint_format_version) +
                     (document.size() == 0 ? "" : ",") + write_json(document).substr(1);
  if (text.size() > document_limits().max_bytes) {
    throw std::invalid_argument("a checkpoint's document would have " + human_bytes(text.size()) +
                                ", at most " + human_bytes(document_limits().max_bytes) +
                                " can be read back");
  }
  return text;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// The kind of a file that is not safetensors, recognized by its first bytes.
std::string_view known_format(const std::filesystem::path& path) {
  std::array<std::byte, 8> start{};
  File file = File::open(path, OpenMode::read);
  const std::size_t count = file.read(start);
  const std::string_view text(reinterpret_cast<const char*>(start.data()), count);
  if (text.empty()) return "it is empty: writing it was interrupted";
  if (text.starts_with("PK\x03\x04")) {
    return "it is a zip archive as torch.save() and Lightning write; grapnel does not read "
           "pickles: export the weights in Python with safetensors.torch.save_file()";
  }
  if (text.starts_with("\x80\x02") || text.starts_with("\x80\x04")) {
    return "it is a Python pickle; grapnel does not read pickles: export "
           "the weights in Python with safetensors.torch.save_file()";
  }
  if (text.starts_with("\x89HDF")) return "it is an HDF5 file";
  if (text.starts_with("GGUF")) return "it is a GGUF file";
  return {};
}

SafetensorsFile open_container(const std::filesystem::path& path, FileAccess access) {
  try {
    return SafetensorsFile::open(path, access);
  } catch (const DataError& error) {
    if (const std::string_view known = known_format(path); !known.empty()) {
      throw CheckpointError(path, "not a checkpoint: " + std::string(known));
    }
    throw CheckpointError(path, error.detail + std::string(use_another));
  }
}

}  // namespace

WrittenCheckpoint write_checkpoint_file(const std::filesystem::path& path,
                                        std::span<const TensorView> tensors,
                                        const ConfigValue& document, Durability durability) {
  const std::string text = document_text(document);
  SafetensorsWriter writer;
  std::string checksums = "{\"\":\"" + hex(xxh3_64(bytes_of(text))) + "\"";
  for (const TensorView& tensor : tensors) {
    if (tensor.name.starts_with(reserved_prefix)) {
      throw std::invalid_argument("tensor " + quote(tensor.name) +
                                  ": names that start with 'grapnel.' are reserved");
    }
    writer.add(tensor);
    checksums +=
        "," + write_json(ConfigValue(tensor.name)) + ":\"" + hex(xxh3_64(tensor.bytes)) + "\"";
  }
  writer.set_metadata(std::string(document_key), text);
  writer.set_metadata(std::string(checksums_key), checksums + "}");
  WrittenCheckpoint written;
  // Of the smallest elements and added last: it comes last in the file.
  writer.add({std::string(digest_tensor), "U8", {32}, written.sha256});

  AtomicFile file(path, durability);
  Sha256 header;
  int header_pieces = 2;  // its length and its text
  writer.write([&](std::span<const std::byte> piece) {
    if (header_pieces > 0) {
      header.update(piece);
      if (--header_pieces == 0) written.sha256 = header.finish();
    }
    file.write(piece);
    written.bytes += piece.size();
  });
  file.commit();
  return written;
}

CheckpointFile::CheckpointFile(SafetensorsFile file, CheckpointCheck check)
    : file_(std::move(file)), check_(check) {
  read_document();
  read_digest();
  read_checksums();
  if (!covers_header_last_ && grapnel::sha256(file_.header_bytes()) != sha256_) {
    refuse_damage("the SHA-256 of its header differs from the recorded one");
  }
  if (check_ == CheckpointCheck::whole_file) verify();
}

CheckpointFile CheckpointFile::open(const std::filesystem::path& path, CheckpointCheck check,
                                    FileAccess access) {
  return {open_container(path, access), check};
}

void CheckpointFile::read_document() {
  const std::string* text = file_.metadata(document_key);
  if (text == nullptr) {
    throw CheckpointError(path(),
                          "not a checkpoint: it is a safetensors file of " +
                              std::to_string(file_.tensors().size()) +
                              " tensors that grapnel did not write; give one of the .ckpt files "
                              "that a run writes");
  }
  try {
    document_ = parse_json(*text, display_path(path()) + " (document)", document_limits());
    format_version_ = document_.at(version_key).as_int(version_key);
  } catch (const ConfigError& error) {
    throw CheckpointError(
        path(), std::string("its document is damaged: ") + error.what() + std::string(use_another));
  }
  if (format_version_ < 1 || format_version_ > checkpoint_format_version) {
    throw CheckpointError(path(), "it has format version " + std::to_string(format_version_) +
                                      ", this grapnel reads up to " +
                                      std::to_string(checkpoint_format_version) +
                                      "; update grapnel");
  }
  document_.erase(version_key);
}

void CheckpointFile::read_digest() {
  const auto& all = file_.tensors();
  const bool is_complete =
      !all.empty() &&
      (all.back().name == digest_tensor || all.back().name == older_digest_tensor) &&
      all.back().dtype == "U8" && all.back().size() == sha256_.size();
  if (!is_complete) {
    throw CheckpointError(path(), "its last tensor is not the 32 bytes of " + quote(digest_tensor) +
                                      std::string(use_another));
  }
  file_.read(all.back(), sha256_, [](std::span<const std::byte>) {});
  tensors_.assign(all.begin(), all.end() - 1);
  covers_header_last_ = all.back().name == older_digest_tensor;
}

void CheckpointFile::refuse_damage(const std::string& what) const {
  throw CheckpointError(path(), "damaged: " + what + std::string(use_another));
}

void CheckpointFile::read_checksums() {
  std::unordered_map<std::string, std::string> by_name;
  try {
    const std::string* text = file_.metadata(checksums_key);
    const ConfigValue table =
        parse_json(text != nullptr ? *text : "{}", std::string(checksums_key), document_limits());
    for (const auto& member : table.as_object()) by_name[member.key] = member.value.as_string();
  } catch (const ConfigError& error) {
    throw CheckpointError(path(), std::string("its table of checksums is damaged: ") +
                                      error.what() + std::string(use_another));
  }
  for (const TensorEntry& tensor : tensors_) checksums_.push_back(by_name[tensor.name]);
  if (by_name[""] != hex(xxh3_64(bytes_of(*file_.metadata(document_key))))) {
    refuse_damage("the checksum of its document differs");
  }
}

void CheckpointFile::visit(const TensorEntry& tensor, const ByteSink& sink) const {
  try {
    file_.visit(tensor, sink);
  } catch (const DataError& error) {
    throw CheckpointError(path(), error.detail + std::string(use_another));
  }
}

void CheckpointFile::verify() const {
  if (covers_header_last_) {
    Sha256 hash;
    hash.update(file_.header_bytes());
    for (const TensorEntry& tensor : tensors_) {
      visit(tensor, [&](std::span<const std::byte> piece) { hash.update(piece); });
    }
    if (hash.finish() == sha256_) return;
  }
  std::vector<std::string> damaged = damaged_tensors();
  const std::size_t count = damaged.size();
  if (count == 0 && !covers_header_last_) return;
  damaged.resize(std::min<std::size_t>(count, 5));
  std::string where = "the header or the checksum itself";
  if (count > 0) where = "the data of " + join_quoted(damaged, count > 5 ? "," : "and");
  if (count > 5) where += " and " + std::to_string(count - 5) + " more tensors";
  refuse_damage("a checksum differs from the recorded one, in " + where);
}

const TensorEntry* CheckpointFile::find(std::string_view name) const noexcept {
  const TensorEntry* found = file_.find(name);
  if (found == nullptr || found == &file_.tensors().back()) return nullptr;
  return &tensors_[static_cast<std::size_t>(found - file_.tensors().data())];
}

const TensorEntry& CheckpointFile::at(std::string_view name) const {
  if (const TensorEntry* found = find(name)) return *found;
  std::vector<std::string> known;
  for (const TensorEntry& tensor : tensors_) known.push_back(tensor.name);
  throw CheckpointError(path(), "it has no tensor " + quote(name) + did_you_mean(name, known));
}

const std::string& CheckpointFile::checksum(const TensorEntry& tensor) const {
  return checksums_[static_cast<std::size_t>(&at(tensor.name) - tensors_.data())];
}

std::span<const std::byte> CheckpointFile::bytes(const TensorEntry& tensor) const {
  const auto data = file_.bytes(tensor);
  if (check_ == CheckpointCheck::on_use && hex(xxh3_64(data)) != checksum(tensor)) {
    refuse_damage("the checksum of tensor " + quote(tensor.name) + " differs");
  }
  return data;
}

void CheckpointFile::read(const TensorEntry& tensor, std::span<std::byte> into) const {
  Xxh3 hash;
  try {
    file_.read(tensor, into, [&](std::span<const std::byte> piece) { hash.update(piece); });
  } catch (const DataError& error) {
    throw CheckpointError(path(), error.detail + std::string(use_another));
  }
  if (hex(hash.finish()) != checksum(tensor)) {
    refuse_damage("the checksum of tensor " + quote(tensor.name) + " differs");
  }
}

std::vector<std::string> CheckpointFile::damaged_tensors() const {
  std::vector<std::string> damaged;
  Xxh3 hash;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    visit(tensors_[i], [&](std::span<const std::byte> piece) { hash.update(piece); });
    if (hex(hash.finish()) != checksums_[i]) damaged.push_back(tensors_[i].name);
  }
  return damaged;
}

}  // namespace grapnel
