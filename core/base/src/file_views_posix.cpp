// platform.h on Linux and macOS: mapped files and advisory locks.
#include <grapnel/base/error.h>
#include <grapnel/base/platform.h>

#include <sys/file.h>
#include <sys/mman.h>

#include <cerrno>
#include <limits>
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

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

bool File::try_lock() noexcept {
  int result = -1;
  do {
    result = flock(static_cast<int>(handle_), LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

std::optional<FileLock> FileLock::try_acquire(const std::filesystem::path& path, LockKind kind) {
  File file = File::open(path, OpenMode::read_write, Links::refuse);
  const int operation = (kind == LockKind::shared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  int result = -1;
  do {
    result = flock(static_cast<int>(file.native_handle()), operation);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return FileLock(std::move(file));
  if (errno == EWOULDBLOCK) return std::nullopt;
  throw IoError("lock", path, errno);
}

}  // namespace grapnel
