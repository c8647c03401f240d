#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/platform.h>
#include <grapnel/base/text.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "unique_suffix.h"

namespace grapnel {
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

TemporaryDirectory::TemporaryDirectory(std::string_view prefix,
                                       const std::filesystem::path& parent) {
  const std::filesystem::path base =
      parent.empty() ? std::filesystem::temp_directory_path() : parent;
  do {
    path_ = base / (std::string(prefix) + detail::unique_suffix());
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

void make_directories(const std::filesystem::path& directory) {
  namespace fs = std::filesystem;
  std::vector<fs::path> missing;  // the innermost first
  std::error_code failure;
  for (fs::path path = directory; !path.empty(); path = path.parent_path()) {
    if (path.has_filename() && path.filename() != "." && path.filename() != "..") {
      const fs::file_status status = fs::status(path, failure);
      if (fs::is_directory(status)) break;
      if (fs::exists(status)) throw IoError("create directory", directory, ENOTDIR);
      if (status.type() == fs::file_type::none) {
        throw IoError("create directory", directory, failure.value());
      }
      missing.push_back(path);
    }
    if (path == path.root_path()) break;
  }
  while (!missing.empty()) {
    const fs::path path = std::move(missing.back());
    missing.pop_back();
    do {
      fs::create_directory(path, failure);
    } while (failure == std::errc::interrupted);
    if (failure) throw IoError("create directory", path, failure.value());
    sync_directory(path.parent_path());
  }
}

void create_parent_directories(const std::filesystem::path& path) {
  make_directories(path.parent_path());
}

std::error_code remove_file(const std::filesystem::path& path) noexcept {
  std::error_code failure;
  do {
    std::filesystem::remove(path, failure);
  } while (failure == std::errc::interrupted);
  return failure;
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
