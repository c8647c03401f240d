// platform.h on Windows: mapped files and advisory locks. (LockFileEx also keeps others from
// reading the locked byte, so it is one far past the end of any lock file.)
#include <grapnel/base/error.h>
#include <grapnel/base/platform.h>

#include <limits>
#include <utility>

#include "windows_error.h"

namespace grapnel {

using detail::Handle;
using detail::last_errno;

MappedFile MappedFile::map(const File& file) {
  const FileIdentity identity = file.identity();
  if (identity.kind != FileKind::regular) {
    throw IoError("map", file.path(), 0, "it is not a regular file");
  }
  if (identity.size == 0) return MappedFile({});
  const Handle mapping(CreateFileMappingW(reinterpret_cast<HANDLE>(file.native_handle()), nullptr,
                                          PAGE_READONLY, 0, 0, nullptr));
  if (!mapping.is_open()) throw IoError("map", file.path(), last_errno());
  const void* start = MapViewOfFile(mapping.get(), FILE_MAP_READ, 0, 0, 0);
  if (start == nullptr) throw IoError("map", file.path(), last_errno());
  return MappedFile(
      {static_cast<const std::byte*>(start), static_cast<std::size_t>(identity.size)});
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) UnmapViewOfFile(bytes_.data());
}

bool File::try_lock() noexcept {
  OVERLAPPED where{};
  where.OffsetHigh = 0x7fff'ffff;
  return LockFileEx(reinterpret_cast<HANDLE>(handle_),
                    LOCKFILE_FAIL_IMMEDIATELY | LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &where) != 0;
}

std::optional<FileLock> FileLock::try_acquire(const std::filesystem::path& path, LockKind kind) {
  File file = File::open(path, OpenMode::read_write, Links::refuse);
  OVERLAPPED where{};
  where.OffsetHigh = 0x7fff'ffff;
  const DWORD flags =
      LOCKFILE_FAIL_IMMEDIATELY | (kind == LockKind::exclusive ? LOCKFILE_EXCLUSIVE_LOCK : 0);
  if (LockFileEx(reinterpret_cast<HANDLE>(file.native_handle()), flags, 0, 1, 0, &where)) {
    return FileLock(std::move(file));
  }
  if (GetLastError() == ERROR_LOCK_VIOLATION || GetLastError() == ERROR_IO_PENDING) {
    return std::nullopt;
  }
  throw IoError("lock", path, last_errno());
}

}  // namespace grapnel
