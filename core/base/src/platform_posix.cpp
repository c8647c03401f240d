// platform.h on Linux and macOS: directories, terminals, files. Locks and mappings are in
// file_views_posix.cpp.
#include <grapnel/base/error.h>
#include <grapnel/base/platform.h>

#include <fcntl.h>
#include <pwd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#if defined(__APPLE__)
#include <mach-o/dyld.h>
#endif

namespace grapnel {
namespace {

std::filesystem::path home_directory() {
  if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/') return home;
  std::array<char, 16384> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(getuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr &&
      found->pw_dir != nullptr && found->pw_dir[0] == '/') {
    return found->pw_dir;
  }
  throw Error("this user has no home directory; set HOME to an absolute path");
}

std::filesystem::path user_directory([[maybe_unused]] const char* xdg_variable,
                                     const char* below_home) {
#if !defined(__APPLE__)
  if (const char* value = std::getenv(xdg_variable); value != nullptr && value[0] == '/') {
    return std::filesystem::path(value) / "grapnel";
  }
#endif
  return home_directory() / below_home / "grapnel";
}

int descriptor(Stream stream) noexcept {
  switch (stream) {
    case Stream::input:
      return STDIN_FILENO;
    case Stream::output:
      return STDOUT_FILENO;
    case Stream::error:
      return STDERR_FILENO;
  }
  return STDERR_FILENO;
}

FileKind kind_of(mode_t mode) noexcept {
  if (S_ISREG(mode)) return FileKind::regular;
  if (S_ISDIR(mode)) return FileKind::directory;
  if (S_ISLNK(mode)) return FileKind::symbolic_link;
  return FileKind::other;
}

// Calls again what a signal interrupted.
template <class Call>
int repeated(Call&& call) {
  for (;;) {
    const int result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

FileIdentity identity_of(const struct stat& info) noexcept {
#if defined(__APPLE__)
  const timespec modified = info.st_mtimespec;
  const timespec changed = info.st_ctimespec;
#else
  const timespec modified = info.st_mtim;
  const timespec changed = info.st_ctim;
#endif
  const auto nanoseconds = [](const timespec& time) {
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  };
  FileIdentity identity;
  identity.device = static_cast<std::uint64_t>(info.st_dev);
  identity.inode = static_cast<std::uint64_t>(info.st_ino);
  identity.size = static_cast<std::uint64_t>(info.st_size);
  identity.modified_ns = nanoseconds(modified);
  identity.changed_ns = nanoseconds(changed);
  identity.owner = info.st_uid;
  identity.mode = info.st_mode & 07777;
  identity.kind = kind_of(info.st_mode);
  // A link's own permission bits mean nothing.
  identity.writable_by_others = !S_ISLNK(info.st_mode) && (info.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  identity.sticky = S_ISDIR(info.st_mode) && (info.st_mode & S_ISVTX) != 0;
  identity.owned_by_us = info.st_uid == 0 || info.st_uid == geteuid();
  return identity;
}

}  // namespace

#if defined(__APPLE__)
std::filesystem::path user_config_directory() {
  return user_directory("", "Library/Application Support");
}
std::filesystem::path user_data_directory() {
  return user_directory("", "Library/Application Support");
}
std::filesystem::path user_cache_directory() {
  return user_directory("", "Library/Caches");
}
#else
std::filesystem::path user_config_directory() {
  return user_directory("XDG_CONFIG_HOME", ".config");
}
std::filesystem::path user_data_directory() {
  return user_directory("XDG_DATA_HOME", ".local/share");
}
std::filesystem::path user_cache_directory() {
  return user_directory("XDG_CACHE_HOME", ".cache");
}
#endif

std::filesystem::path executable_path() {
#if defined(__APPLE__)
  std::uint32_t size = 0;
  _NSGetExecutablePath(nullptr, &size);
  std::string buffer(size, '\0');
  if (_NSGetExecutablePath(buffer.data(), &size) != 0) {
    throw IoError("find the file of", "this program", 0);
  }
  return std::filesystem::canonical(buffer.c_str());
#else
  std::error_code failure;
  auto path = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) throw IoError("read", "/proc/self/exe", failure.value(), "is /proc mounted?");
  return path;
#endif
}

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

char path_list_separator() noexcept {
  return ':';
}

std::string_view shared_library_suffix() noexcept {
#if defined(__APPLE__)
  return ".dylib";
#else
  return ".so";
#endif
}

bool is_terminal(Stream stream) noexcept {
  return isatty(descriptor(stream)) == 1;
}

std::optional<int> terminal_width(Stream stream) noexcept {
  if (!is_terminal(stream)) return std::nullopt;
  winsize size{};
  if (ioctl(descriptor(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const char* columns = std::getenv("COLUMNS");
  const int width = columns != nullptr ? std::atoi(columns) : 0;
  return width > 0 && width < 10'000 ? std::optional<int>(width) : std::nullopt;
}

std::optional<FileIdentity> file_identity(const std::filesystem::path& path, Links links) {
  struct stat info {};
  const int result =
      links == Links::follow ? stat(path.c_str(), &info) : lstat(path.c_str(), &info);
  if (result == 0) return identity_of(info);
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  throw IoError("look at", path, errno);
}

File::File(std::filesystem::path path, std::intptr_t handle) noexcept
    : path_(std::move(path)), handle_(handle) {}

File File::open(const std::filesystem::path& path, OpenMode mode, Links links) {
  int flags = O_CLOEXEC | O_NOCTTY;
  if (links == Links::refuse) flags |= O_NOFOLLOW;
  mode_t permissions = 0666;
  switch (mode) {
    case OpenMode::read:
      flags |= O_RDONLY | O_NONBLOCK;  // a FIFO without a writer must not hang us
      break;
    case OpenMode::create_new:
      flags |= O_WRONLY | O_CREAT | O_EXCL;
      break;
    case OpenMode::create_private:
      flags |= O_WRONLY | O_CREAT | O_EXCL;
      permissions = 0600;
      break;
    case OpenMode::read_write:
      flags |= O_RDWR | O_CREAT | O_NONBLOCK;
      break;
  }
  const int handle = repeated([&] { return ::open(path.c_str(), flags, permissions); });
  if (handle < 0) {
    const bool is_link = links == Links::refuse && errno == ELOOP;
    throw IoError(mode == OpenMode::read ? "open" : "create", path, errno,
                  is_link ? "symbolic links are not followed here" : "");
  }
  return {path, handle};
}

File::~File() {
  if (handle_ >= 0) ::close(static_cast<int>(handle_));
}

File::File(File&& other) noexcept
    : path_(std::move(other.path_)), handle_(std::exchange(other.handle_, -1)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(handle_, other.handle_);
  return *this;
}

FileIdentity File::identity() const {
  struct stat info {};
  if (fstat(static_cast<int>(handle_), &info) != 0) throw IoError("look at", path_, errno);
  return identity_of(info);
}

std::size_t File::read(std::span<std::byte> bytes) {
  for (;;) {
    const ssize_t count = ::read(static_cast<int>(handle_), bytes.data(), bytes.size());
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) throw IoError("read", path_, errno);
  }
}

std::size_t File::read_at(std::uint64_t offset, std::span<std::byte> bytes) const {
  for (;;) {
    const ssize_t count =
        ::pread(static_cast<int>(handle_), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) throw IoError("read", path_, errno);
  }
}

void File::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(static_cast<int>(handle_), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw IoError("write to", path_, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void File::start_sync(std::uint64_t offset, std::uint64_t size) noexcept {
#if defined(__linux__)
  sync_file_range(static_cast<int>(handle_), static_cast<off64_t>(offset),
                  static_cast<off64_t>(size), SYNC_FILE_RANGE_WRITE);
#else
  static_cast<void>(offset);
  static_cast<void>(size);
#endif
}

void File::sync() {
#if defined(__APPLE__)
  // fsync() leaves the data in the drive's cache there.
  if (fcntl(static_cast<int>(handle_), F_FULLFSYNC) == 0) return;
#endif
  if (repeated([&] { return fsync(static_cast<int>(handle_)); }) != 0) {
    throw IoError("write to disk", path_, errno);
  }
}

void File::close() {
  const int handle = static_cast<int>(std::exchange(handle_, -1));
  // After EINTR the descriptor is closed all the same.
  if (handle >= 0 && ::close(handle) != 0 && errno != EINTR) throw IoError("close", path_, errno);
}

void sync_directory(const std::filesystem::path& directory) {
  const std::filesystem::path& path = directory.empty() ? std::filesystem::path(".") : directory;
  const int handle =
      repeated([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (handle < 0) throw IoError("open the directory", path, errno);
  const int result = repeated([&] { return fsync(handle); });
  const int failure = errno;
  ::close(handle);
  // Some file systems have no such thing as a directory's sync.
  if (result != 0 && failure != EINVAL && failure != ENOTSUP) {
    throw IoError("write to disk the directory", path, failure);
  }
}

void replace_file(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (repeated([&] { return std::rename(from.c_str(), to.c_str()); }) != 0) {
    throw IoError("replace", to, errno, "the new content is in '" + from.string() + "'");
  }
}

bool create_private_directory(const std::filesystem::path& path) {
  if (repeated([&] { return mkdir(path.c_str(), 0700); }) == 0) return true;
  if (errno == EEXIST) return false;
  throw IoError("create the directory", path, errno);
}

}  // namespace grapnel
