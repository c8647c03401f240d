// platform.h on Linux and macOS: mapped files and advisory locks.
#include <grapnel/base/clock.h>
#include <grapnel/base/error.h>
#include <grapnel/base/platform.h>
#include <grapnel/base/text.h>

#include <sys/file.h>
#include <sys/mman.h>

#include <cerrno>
#include <chrono>
#include <limits>
#include <thread>
#include <utility>

namespace grapnel {

MappedFile MappedFile::map(const File& file) {
  const FileIdentity identity = file.identity();
  if (identity.kind != FileKind::regular) {
    throw IoError("map", file.path(), 0, "it is not a regular file");
  }
  if (identity.size == 0) return MappedFile({});
  if (identity.size > std::numeric_limits<std::size_t>::max()) {
    throw IoError("map", file.path(), EFBIG);
  }
  const auto size = static_cast<std::size_t>(identity.size);
  void* start =
      mmap(nullptr, size, PROT_READ, MAP_PRIVATE, static_cast<int>(file.native_handle()), 0);
  if (start == MAP_FAILED) throw IoError("map", file.path(), errno);
  return MappedFile({static_cast<const std::byte*>(start), size});
}

MappedFile MappedFile::map(const std::filesystem::path& path) {
  return map(File::open(path, OpenMode::read));
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

std::optional<FileLock> FileLock::try_acquire(const std::filesystem::path& path, LockKind kind) {
  File file = File::open(path, OpenMode::read_write);
  const int operation = (kind == LockKind::shared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  int result = -1;
  do {
    result = flock(static_cast<int>(file.native_handle()), operation);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return FileLock(std::move(file));
  if (errno == EWOULDBLOCK) return std::nullopt;
  throw IoError("lock", path, errno);
}

FileLock FileLock::acquire(const std::filesystem::path& path, LockKind kind,
                           double timeout_seconds) {
  const double end = system_clock().now() + timeout_seconds;
  for (auto pause = std::chrono::milliseconds(1);;) {
    if (auto lock = try_acquire(path, kind)) return std::move(*lock);
    if (system_clock().now() >= end) {
      throw Error("cannot lock " + quote(path.string()) + " within " +
                  human_seconds(timeout_seconds) +
                  ": another process holds it; wait for it to end and try again");
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, std::chrono::milliseconds(50));
  }
}

}  // namespace grapnel
