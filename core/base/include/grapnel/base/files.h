// Whole files: read with a limit, written so that a reader sees the old file or the new one, and
// directories that vanish with their scope.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <grapnel/base/export.h>

namespace grapnel {

// The bytes of a regular file. IoError when it can't be read or is not a regular file; DataError
// when it is larger than `max_bytes` (also when it grows while it is read).
[[nodiscard]] GRAPNEL_BASE_API std::string read_file(const std::filesystem::path& path,
                                                     std::uint64_t max_bytes);

// Durable: fsync of file and directory, so that the new file survives a loss of power, for the
// price of waiting for the disk. Fast: the rename is still atomic for readers.
enum class Durability : std::uint8_t { durable, fast };

// A file in the making: written to a hidden temporary file in the same directory
// (".NAME.tmp-PROCESS-..."), which commit() renames over the target. Without commit() the temporary
// is removed and the target stays as it was. A symbolic link at the target is replaced, not
// followed. IoError on any failure, naming the target.
class GRAPNEL_BASE_API AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& target,
                      Durability durability = Durability::durable);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  // Once; writing after it is a std::logic_error.
  void commit();

  [[nodiscard]] const std::filesystem::path& target() const noexcept;
  [[nodiscard]] const std::filesystem::path& temporary() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The whole content in one call.
GRAPNEL_BASE_API void write_file(const std::filesystem::path& path, std::string_view content,
                                 Durability durability = Durability::durable);

// Makes `link` a symbolic link with the text `target` in one step, in the place of a file or a link
// that is there. IoError; what is there then stays.
GRAPNEL_BASE_API void replace_link(const std::filesystem::path& target,
                                   const std::filesystem::path& link,
                                   Durability durability = Durability::durable);

// Removes what killed processes left in a directory (not in those below it): the temporaries of
// AtomicFile and replace_link() whose process is gone. Returns what it removed. Temporaries of
// running processes stay, so it may be called at any time; so do those that can't be removed.
GRAPNEL_BASE_API std::vector<std::filesystem::path> remove_stale_temporaries(
    const std::filesystem::path& directory);

// Removes a file or a link; that there is none is not an error. On failure the reason.
[[nodiscard]] GRAPNEL_BASE_API std::error_code remove_file(
    const std::filesystem::path& path) noexcept;

// A new directory, readable by its owner only, removed with everything in it at the end of the
// scope. `prefix` starts its name; `parent` empty means the system's directory for temporary files.
class GRAPNEL_BASE_API TemporaryDirectory {
 public:
  explicit TemporaryDirectory(std::string_view prefix = "grapnel-",
                              const std::filesystem::path& parent = {});
  ~TemporaryDirectory();
  TemporaryDirectory(TemporaryDirectory&& other) noexcept;
  TemporaryDirectory& operator=(TemporaryDirectory&& other) noexcept;

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] std::filesystem::path operator/(const std::filesystem::path& name) const {
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

// Creates a directory and those above it that are missing, durably; one that exists is not an
// error. IoError naming the one that can't be made.
GRAPNEL_BASE_API void make_directories(const std::filesystem::path& directory);
// The same for the directories above `path`.
GRAPNEL_BASE_API void create_parent_directories(const std::filesystem::path& path);

// The absolute path without symbolic links, "." and "..". IoError when it does not exist.
[[nodiscard]] GRAPNEL_BASE_API std::filesystem::path real_path(const std::filesystem::path& path);

// True when `path` is `directory` or is below it, after both are resolved by real_path().
[[nodiscard]] GRAPNEL_BASE_API bool is_below(const std::filesystem::path& path,
                                             const std::filesystem::path& directory);

// True for a relative path that cannot leave the directory it is joined to: not empty, no root, no
// "..", no control characters. Says nothing about symbolic links.
[[nodiscard]] GRAPNEL_BASE_API bool is_safe_relative(const std::filesystem::path& path);

// `path` as seen from the working directory when it is below it, else unchanged: for messages.
[[nodiscard]] GRAPNEL_BASE_API std::string display_path(const std::filesystem::path& path);

}  // namespace grapnel
