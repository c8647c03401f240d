#include <grapnel/host/process_state.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <clocale>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "catch.h"
#include "temp_dir.h"

namespace process_state_test {

using grapnel::host::ProcessStateGuard;
using Changes = std::vector<std::string>;

namespace {

void handler(int) {}

}  // namespace

TEST_CASE("nothing changed is nothing to say") {
  ProcessStateGuard guard;
  CHECK(guard.changes().empty());
  CHECK(guard.restore().empty());
}

TEST_CASE("a signal handler is named and put back") {
  ProcessStateGuard guard;
  std::signal(SIGUSR1, &handler);
  CHECK(guard.changes() == Changes{"the handler of SIGUSR1"});
  CHECK(guard.restore() == Changes{"the handler of SIGUSR1"});
  CHECK(guard.changes().empty());
  CHECK(std::signal(SIGUSR1, SIG_DFL) == SIG_DFL);
}

TEST_CASE("the working directory is named with both and put back") {
  const grapnel::test::TempDir dir;
  const auto before = std::filesystem::current_path();
  ProcessStateGuard guard;
  std::filesystem::current_path(dir.path());
  REQUIRE(guard.changes().size() == 1);
  CHECK(guard.changes()[0] ==
        "the working directory (" + before.string() + " to " + dir.path().string() + ")");
  (void)guard.restore();
  CHECK(std::filesystem::current_path() == before);
}

TEST_CASE("variables that were set, changed and removed are named and put back") {
  setenv("GRAPNEL_TEST_CHANGED", "before", 1);
  setenv("GRAPNEL_TEST_REMOVED", "before", 1);
  unsetenv("GRAPNEL_TEST_ADDED");
  ProcessStateGuard guard;
  setenv("GRAPNEL_TEST_CHANGED", "after", 1);
  unsetenv("GRAPNEL_TEST_REMOVED");
  setenv("GRAPNEL_TEST_ADDED", "after", 1);
  Changes changes = guard.restore();
  std::sort(changes.begin(), changes.end());
  CHECK(changes == Changes{"the environment variable GRAPNEL_TEST_ADDED",
                           "the environment variable GRAPNEL_TEST_CHANGED",
                           "the environment variable GRAPNEL_TEST_REMOVED"});
  CHECK(std::string(getenv("GRAPNEL_TEST_CHANGED")) == "before");
  CHECK(std::string(getenv("GRAPNEL_TEST_REMOVED")) == "before");
  CHECK(getenv("GRAPNEL_TEST_ADDED") == nullptr);
}

TEST_CASE("the umask is named with both and put back") {
  const mode_t before = umask(022);
  ProcessStateGuard guard;
  umask(0);
  CHECK(guard.restore() == Changes{"the umask (022 to 000)"});
  CHECK(umask(before) == 022);
}

TEST_CASE("looking at the process changes nothing for other threads") {
  const mode_t before = umask(022);
  const grapnel::test::TempDir dir;
  std::atomic<bool> done = false;
  std::thread looker([&] {
    while (!done) (void)ProcessStateGuard();
  });
  int others = 0;
  for (int i = 0; i < 3000; ++i) {
    const auto file = dir / std::to_string(i);
    const int handle = open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
    struct stat info {};
    if (handle < 0 || fstat(handle, &info) != 0 || (info.st_mode & 0777) != 0644) ++others;
    close(handle);
  }
  done = true;
  looker.join();
  umask(before);
  CHECK(others == 0);
}

TEST_CASE("the locale is named with both and put back") {
  ProcessStateGuard guard;
  REQUIRE(std::setlocale(LC_ALL, "C.UTF-8") != nullptr);
  CHECK(guard.restore() == Changes{"the locale (C to C.UTF-8)"});
  CHECK(std::string(std::setlocale(LC_ALL, nullptr)) == "C");
}

}  // namespace process_state_test
