// A library to preload: counts the file operations of the program that it is loaded into
// (tests/random/file_operations.h) and kills it at one of them.
//
//   GRAPNEL_TEST_KILL_AT=17            SIGKILL at the start of the 17th
//   GRAPNEL_TEST_COUNT_FILE=/a/file    how many there were, written at the end of the process
#include <cstdio>
#include <cstdlib>

#include "../random/file_operations.h"

namespace grapnel::reliability {

namespace {

struct Preloaded {
  Preloaded() {
    const char* const kill_at = std::getenv("GRAPNEL_TEST_KILL_AT");
    random_test::count_file_operations(kill_at == nullptr ? 0 : std::atoll(kill_at));
  }
  ~Preloaded() {
    const auto count = static_cast<long long>(random_test::file_operations());
    const char* const path = std::getenv("GRAPNEL_TEST_COUNT_FILE");
    std::FILE* const file = path == nullptr ? nullptr : std::fopen(path, "w");
    if (file == nullptr) return;
    std::fprintf(file, "%lld\n", count);
    std::fclose(file);
  }
};

const Preloaded preloaded;

}  // namespace

}  // namespace grapnel::reliability
