// What differs between Linux, macOS and Windows about files, directories and terminals. (Processes:
// process.h.) All other code is the same on every system.
//
// Rules: paths are std::filesystem; failures are IoError with path and errno; handles are never
// inherited by child processes.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <grapnel/base/export.h>

namespace grapnel {

// Grapnel's own directories, not necessarily existing. Linux: the XDG base directories
// ($XDG_CONFIG_HOME or ~/.config, ...; relative values are ignored as the XDG specification says) +
// "grapnel"; macOS: ~/Library/Application Support and ~/Library/Caches; Windows: %APPDATA%,
// %LOCALAPPDATA%. Error when there is no home directory.
[[nodiscard]] GRAPNEL_BASE_API std::filesystem::path user_config_directory();
[[nodiscard]] GRAPNEL_BASE_API std::filesystem::path user_data_directory();
[[nodiscard]] GRAPNEL_BASE_API std::filesystem::path user_cache_directory();

// The running program's file, symbolic links resolved.
[[nodiscard]] GRAPNEL_BASE_API std::filesystem::path executable_path();

// nullopt when unset; "" when set to nothing.
[[nodiscard]] GRAPNEL_BASE_API std::optional<std::string> environment_variable(
    const std::string& name);

// The separator of lists of directories: ':' or ';'.
[[nodiscard]] GRAPNEL_BASE_API char path_list_separator() noexcept;
// ".so", ".dylib" or ".dll".
[[nodiscard]] GRAPNEL_BASE_API std::string_view shared_library_suffix() noexcept;

enum class Stream : std::uint8_t { input, output, error };
[[nodiscard]] GRAPNEL_BASE_API bool is_terminal(Stream stream) noexcept;
// Columns of the terminal behind the stream ($COLUMNS where it doesn't say); nullopt when there is
// none.
[[nodiscard]] GRAPNEL_BASE_API std::optional<int> terminal_width(Stream stream) noexcept;

enum class FileKind : std::uint8_t { regular, directory, symbolic_link, other };

// Identifies a file and its version: equal only when all members are equal.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;        // bytes
  std::int64_t modified_ns = 0;  // since 1970
  std::int64_t changed_ns = 0;   // of the inode (ctime); on Windows the time of the last change
  std::uint32_t owner = 0;       // user id; on Windows 0 for this user or the system, 1 for others
  std::uint32_t mode = 0;        // permission bits, 07777; on Windows 0
  FileKind kind = FileKind::other;
  // Someone besides its owner (and the administrator) may write: group or others on POSIX, an
  // access control entry for another account on Windows.
  bool writable_by_others = false;
  // A directory in which only a file's owner may replace it (sticky bit), as /tmp.
  bool sticky = false;
  // The owner is this user or the administrator.
  bool owned_by_us = false;

  bool operator==(const FileIdentity&) const = default;
};

enum class Links : std::uint8_t { follow, refuse };

// nullopt when there is no such file. With Links::refuse a symbolic link is not followed.
[[nodiscard]] GRAPNEL_BASE_API std::optional<FileIdentity> file_identity(
    const std::filesystem::path& path, Links links = Links::follow);

enum class OpenMode : std::uint8_t {
  read,            // existing file
  create_new,      // write; fails when it exists
  create_private,  // the same, readable and writable by its owner only
  read_write,      // existing or new, not truncated
};

// An open file. Methods throw IoError that names the path.
class GRAPNEL_BASE_API File {
 public:
  // Links::refuse: the last component must not be a symbolic link. Never blocks on a FIFO.
  static File open(const std::filesystem::path& path, OpenMode mode, Links links = Links::follow);
  ~File();
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;

  // Identity of the open file, even if the path now leads to another one.
  [[nodiscard]] FileIdentity identity() const;
  // Up to bytes.size() bytes from the current position; 0 at the end.
  std::size_t read(std::span<std::byte> bytes);
  // The same from a position of its own; the current one stays.
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> bytes) const;
  // All of it, or IoError.
  void write(std::span<const std::byte> bytes);
  // Asks the system to start writing a range to the disk, without waiting; where it can't, nothing.
  void start_sync(std::uint64_t offset, std::uint64_t size) noexcept;
  // Waits until it is on the disk.
  void sync();
  // Takes the lock of FileLock for as long as the file is open; false when another has it, or when
  // the file system has no locks.
  [[nodiscard]] bool try_lock() noexcept;
  // Errors of closing are reported here; the destructor drops them. Once.
  void close();

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] std::intptr_t native_handle() const noexcept { return handle_; }

 private:
  File(std::filesystem::path path, std::intptr_t handle) noexcept;
  std::filesystem::path path_;
  std::intptr_t handle_ = -1;
};

// Every call that a signal interrupts (EINTR) is repeated, here and in File.

// Makes renames and removals in a directory durable. A no-op where the system has no such call.
GRAPNEL_BASE_API void sync_directory(const std::filesystem::path& directory);
// Renames within one file system, replacing the target in one step.
GRAPNEL_BASE_API void replace_file(const std::filesystem::path& from,
                                   const std::filesystem::path& to);
// Creates a directory that only its owner may use; false when it exists already.
GRAPNEL_BASE_API bool create_private_directory(const std::filesystem::path& path);

// A read-only view of a whole regular file. Another process that shortens the file while it is
// mapped ends this one with SIGBUS: map only files that are replaced by renaming, as Grapnel's are.
class GRAPNEL_BASE_API MappedFile {
 public:
  static MappedFile map(const File& file);
  static MappedFile map(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  explicit MappedFile(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}
  std::span<const std::byte> bytes_;  // empty when moved from, and for an empty file
};

enum class LockKind : std::uint8_t { shared, exclusive };

// An advisory lock on a file that is created if needed and stays; a symbolic link is refused (IoError), so
// that no lock touches the file that it leads to. Between processes and between
// objects of one process; released by the destructor or the end of the process.
class GRAPNEL_BASE_API FileLock {
 public:
  // nullopt when someone else holds it.
  static std::optional<FileLock> try_acquire(const std::filesystem::path& path, LockKind kind);
  // Waits up to `timeout_seconds`; Error naming the file when it passes.
  static FileLock acquire(const std::filesystem::path& path, LockKind kind, double timeout_seconds);
  FileLock(FileLock&&) noexcept = default;
  FileLock& operator=(FileLock&&) noexcept = default;

 private:
  explicit FileLock(File file) noexcept : file_(std::move(file)) {}
  File file_;
};

}  // namespace grapnel
