// A library to preload: counts the file operations of the program that it is loaded into
// (tests/random/file_operations.h) and kills it at one of them.
//
//   GRAPNEL_TEST_KILL_AT=17            SIGKILL at the start of the 17th
//   GRAPNEL_TEST_COUNT_FILE=/a/file    how many there were, an int64: memory that is shared with the
//                                      file, for a program ends without running destructors
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

#include "../random/file_operations.h"

namespace grapnel::reliability {

namespace {

using Counter = std::atomic<int64_t>;

// nullptr: not asked for, or not possible. The system's own calls: open() would be counted.
Counter* counter_in(const char* path) {
  if (path == nullptr) return nullptr;
  const auto file = static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT, 0600));
  if (file < 0 || ftruncate(file, sizeof(Counter)) != 0) return nullptr;
  void* const memory = mmap(nullptr, sizeof(Counter), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  return memory == MAP_FAILED ? nullptr : static_cast<Counter*>(memory);
}

struct Preloaded {
  Preloaded() {
    const char* const kill_at = std::getenv("GRAPNEL_TEST_KILL_AT");
    random_test::count_file_operations(kill_at == nullptr ? 0 : std::atoll(kill_at),
                                       counter_in(std::getenv("GRAPNEL_TEST_COUNT_FILE")));
  }
};

const Preloaded preloaded;

}  // namespace

}  // namespace grapnel::reliability
