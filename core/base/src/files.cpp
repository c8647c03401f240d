#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/platform.h>
#include <grapnel/base/process.h>
#include <grapnel/base/text.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <optional>
#include <random>
#include <stdexcept>
#include <utility>

namespace grapnel {
namespace {

// Unlikely to meet another name, of this process or of another, ever.
std::string unique_suffix() {
  static std::atomic<std::uint32_t> count = 0;
  std::random_device random;
  return std::to_string(process_id()) + "-" + std::to_string(count++) + "-" +
         std::to_string(random());
}

std::filesystem::path temporary_beside(const std::filesystem::path& target) {
  std::filesystem::path name = ".";
  name += target.filename();
  name += ".tmp-" + unique_suffix();
  return target.parent_path() / name;
}

}  // namespace

std::string read_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  File file = File::open(path, OpenMode::read);
  const FileIdentity identity = file.identity();
  if (identity.kind != FileKind::regular) {
    throw IoError("read", path, identity.kind == FileKind::directory ? EISDIR : 0,
                  "it is not a regular file");
  }
  const auto too_large = [&](std::uint64_t size) {
    return DataError("the file has " + human_bytes(size) + ", at most " + human_bytes(max_bytes) +
                         " are accepted here",
                     path);
  };
  if (identity.size > max_bytes) throw too_large(identity.size);
  // Some files (in /proc) say 0 and hold more; others grow while they are read.
  std::string content(static_cast<std::size_t>(identity.size) + 1, '\0');
  std::size_t filled = 0;
  while (const std::size_t count =
             file.read(std::as_writable_bytes(std::span(content).subspan(filled)))) {
    filled += count;
    if (filled > max_bytes) throw too_large(filled);
    if (filled == content.size()) content.resize(content.size() * 2 + 4096);
  }
  content.resize(filled);
  return content;
}

struct AtomicFile::State {
  std::filesystem::path target;
  std::filesystem::path temporary;
  Durability durability;
  std::optional<File> file;
};

AtomicFile::AtomicFile(const std::filesystem::path& target, Durability durability)
    : state_(std::make_unique<State>()) {
  if (!target.has_filename()) throw IoError("write to", target, EISDIR);
  state_->target = target;
  state_->temporary = temporary_beside(target);
  state_->durability = durability;
  try {
    state_->file = File::open(state_->temporary, OpenMode::create_new);
  } catch (const IoError& error) {
    throw IoError("write to", target, error.error_number);  // callers know the target only
  }
}

AtomicFile::~AtomicFile() {
  if (state_->temporary.empty()) return;
  state_->file.reset();
  std::error_code ignored;  // a destructor cannot report it
  std::filesystem::remove(state_->temporary, ignored);
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  if (!state_->file) throw std::logic_error("a committed file was written to");
  try {
    state_->file->write(bytes);
  } catch (const IoError& error) {
    throw IoError("write to", state_->target, error.error_number, "the file is as it was before");
  }
}

void AtomicFile::commit() {
  if (!state_->file) throw std::logic_error("a file was committed twice");
  if (state_->durability == Durability::durable) state_->file->sync();
  state_->file->close();
  state_->file.reset();
  replace_file(state_->temporary, state_->target);
  state_->temporary.clear();
  if (state_->durability == Durability::durable) sync_directory(state_->target.parent_path());
}

const std::filesystem::path& AtomicFile::target() const noexcept {
  return state_->target;
}
const std::filesystem::path& AtomicFile::temporary() const noexcept {
  return state_->temporary;
}

void write_file(const std::filesystem::path& path, std::string_view content,
                Durability durability) {
  AtomicFile file(path, durability);
  file.write(content);
  file.commit();
}

TemporaryDirectory::TemporaryDirectory(std::string_view prefix,
                                       const std::filesystem::path& parent) {
  const std::filesystem::path base =
      parent.empty() ? std::filesystem::temp_directory_path() : parent;
  do {
    path_ = base / (std::string(prefix) + unique_suffix());
  } while (!create_private_directory(path_));
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;  // a destructor cannot report it
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

TemporaryDirectory::TemporaryDirectory(TemporaryDirectory&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

TemporaryDirectory& TemporaryDirectory::operator=(TemporaryDirectory&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}

void create_parent_directories(const std::filesystem::path& path) {
  if (!path.has_parent_path()) return;
  std::error_code failure;
  std::filesystem::create_directories(path.parent_path(), failure);
  if (failure) throw IoError("create directory", path.parent_path(), failure.value());
}

std::filesystem::path real_path(const std::filesystem::path& path) {
  std::error_code failure;
  auto resolved = std::filesystem::canonical(path, failure);
  if (failure) throw IoError("find", path, failure.value());
  return resolved;
}

bool is_below(const std::filesystem::path& path, const std::filesystem::path& directory) {
  const std::filesystem::path inner = real_path(path);
  const std::filesystem::path outer = real_path(directory);
  const auto [outer_end, inner_end] =
      std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  return outer_end == outer.end();
}

bool is_safe_relative(const std::filesystem::path& path) {
  if (path.empty() || path.has_root_path()) return false;
  const std::string text = path.string();
  // Backslashes separate on Windows: a manifest must mean the same everywhere.
  const auto is_unsafe = [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '\\'; };
  if (std::any_of(text.begin(), text.end(), is_unsafe)) return false;
  if (text.size() >= 2 && text[1] == ':') return false;  // a drive
  return std::none_of(path.begin(), path.end(),
                      [](const std::filesystem::path& part) { return part == ".."; });
}

std::string display_path(const std::filesystem::path& path) {
  std::error_code failure;
  const auto here = std::filesystem::current_path(failure);
  if (failure || !path.is_absolute()) return path.string();
  const auto relative = path.lexically_relative(here);
  const bool below = !relative.empty() && *relative.begin() != "..";
  return below ? relative.string() : path.string();
}

}  // namespace grapnel
