#include "process_counts.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace grapnel::validation {
namespace {

std::int64_t count_entries(const char* directory) {
  std::error_code error;
  std::int64_t count = 0;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    ++count;
  }
  return error ? -1 : count;
}

}  // namespace

std::int64_t count_threads() {
  return count_entries("/proc/self/task");
}

std::int64_t count_descriptors() {
  return count_entries("/proc/self/fd");
}

std::int64_t count_children() {
  std::error_code error;
  std::int64_t count = 0;
  bool is_known = false;
  for (std::filesystem::directory_iterator it("/proc/self/task", error), end; !error && it != end;
       it.increment(error)) {
    std::ifstream children(it->path() / "children");
    is_known = is_known || children.is_open();
    for (std::string child; children >> child;) ++count;
  }
  return is_known ? count : -1;
}

std::int64_t memory_in_use() {
#if defined(__GLIBC__)
  const auto info = mallinfo2();
  return static_cast<std::int64_t>(info.uordblks + info.hblkhd);
#else
  return -1;
#endif
}

}  // namespace grapnel::validation
