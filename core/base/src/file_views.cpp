// What is the same on every system about mapped files and locks.
#include <grapnel/base/clock.h>
#include <grapnel/base/error.h>
#include <grapnel/base/platform.h>
#include <grapnel/base/text.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace grapnel {

MappedFile MappedFile::map(const std::filesystem::path& path) {
  return map(File::open(path, OpenMode::read));
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
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
