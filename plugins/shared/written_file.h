// Files that a plugin writes for people: written as PATH.unfinished, they take PATH's place once they are
// whole. What fails throws FileError: which file, why, and what to do about it.
#pragma once

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include <grapnel/plugin.hpp>

namespace files {

class FileError : public grapnel::plugin::Error {
 public:
  using Error::Error;
};

namespace detail {

inline const char* remedy(const std::error_code& reason) {
  if (reason == std::errc::no_space_on_device) return "; free space there";
  if (reason == std::errc::is_a_directory) return "; move that directory away";
  if (reason == std::errc::permission_denied || reason == std::errc::read_only_file_system) {
    return "; make it writable, or choose another run directory";
  }
  return "";
}

[[noreturn]] inline void fail(const char* what, const std::filesystem::path& path,
                              const std::error_code& reason) {
  throw FileError(std::string("cannot ") + what + " '" + path.string() + "'" +
                  (reason ? ": " + reason.message() : "") + remedy(reason));
}

inline void check(const std::ios& file, const std::filesystem::path& path) {
  if (!file) fail("write", path, {errno, std::generic_category()});
}

}  // namespace detail

inline std::filesystem::path unfinished(std::filesystem::path path) {
  path += ".unfinished";
  return path;
}

/// An empty file, in a directory that is made where there is none.
inline std::ofstream create(const std::filesystem::path& path) {
  std::error_code reason;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), reason);
  if (reason) detail::fail("make the directory", path.parent_path(), reason);
  errno = 0;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  detail::check(file, path);
  return file;
}

inline void write(std::ofstream& file, const std::filesystem::path& path, std::string_view text) {
  errno = 0;
  file << text;
  detail::check(file, path);
}

inline void close(std::ofstream& file, const std::filesystem::path& path) {
  errno = 0;
  file.close();
  detail::check(file, path);
}

inline void replace(const std::filesystem::path& old, const std::filesystem::path& by) {
  std::error_code reason;
  std::filesystem::rename(by, old, reason);
  if (reason) detail::fail("replace", old, reason);
}

/// False: there is no such file; what is a directory is none.
inline bool remove(const std::filesystem::path& path) {
  std::error_code reason;
  if (!std::filesystem::is_regular_file(path, reason)) return false;
  const bool is_removed = std::filesystem::remove(path, reason);
  if (reason) detail::fail("remove", path, reason);
  return is_removed;
}

}  // namespace files
