#include <grapnel/host/process_state.h>

#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
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

TEST_CASE("an unchanged process has no changes to report") {
  ProcessStateGuard guard;
  CHECK(guard.changes().empty());
  CHECK(guard.restore().empty());
}

TEST_CASE("a changed signal handler is named and restored") {
  ProcessStateGuard guard;
  std::signal(SIGUSR1, &handler);
  CHECK(guard.changes() == Changes{"the handler of SIGUSR1"});
  CHECK(guard.restore() == Changes{"the handler of SIGUSR1"});
  CHECK(guard.changes().empty());
  CHECK(std::signal(SIGUSR1, SIG_DFL) == SIG_DFL);
}

TEST_CASE("a changed working directory is named with both paths and restored") {
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

TEST_CASE("environment variables that were set, changed or removed are named and restored") {
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

TEST_CASE("a changed umask is named with both values and restored") {
  const mode_t before = umask(022);
  ProcessStateGuard guard;
  umask(0);
  CHECK(guard.restore() == Changes{"the umask (022 to 000)"});
  CHECK(umask(before) == 022);
}

TEST_CASE("reading the process state changes nothing for other threads") {
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

TEST_CASE("a changed locale is named with both names and restored") {
  ProcessStateGuard guard;
  REQUIRE(std::setlocale(LC_ALL, "C.UTF-8") != nullptr);
  CHECK(guard.restore() == Changes{"the locale (C to C.UTF-8)"});
  CHECK(std::string(std::setlocale(LC_ALL, nullptr)) == "C");
}

TEST_CASE("a thread's own locale and its blocked signals are named and restored") {
  ProcessStateGuard guard(ProcessStateGuard::Extent::of_a_run);
  const locale_t own = newlocale(LC_ALL_MASK, "C.UTF-8", locale_t{});
  REQUIRE(own != locale_t{});
  uselocale(own);
  sigset_t interrupt;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  pthread_sigmask(SIG_BLOCK, &interrupt, nullptr);
  CHECK(guard.restore() ==
        Changes{"the locale of the training thread", "the blocked signals (none to SIGINT)"});
  CHECK(uselocale(locale_t{}) == LC_GLOBAL_LOCALE);
  sigset_t blocked;
  pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  CHECK(sigismember(&blocked, SIGINT) == 0);
  CHECK(guard.changes().empty());
  freelocale(own);
}

TEST_CASE("a guard of a run leaves the environment to the libraries of the host") {
  ProcessStateGuard run(ProcessStateGuard::Extent::of_a_run);
  setenv("GRAPNEL_TEST_ADDED", "by a library", 1);
  const ProcessStateGuard later(ProcessStateGuard::Extent::of_a_hook);
  CHECK(run.changes().empty());
  CHECK(run.changes_until(later).empty());
  CHECK(run.restore().empty());
  CHECK(std::string(getenv("GRAPNEL_TEST_ADDED")) == "by a library");
  unsetenv("GRAPNEL_TEST_ADDED");
}

TEST_CASE("what changed until another guard's snapshot is what that one has") {
  const mode_t before = umask(022);
  const ProcessStateGuard first;
  umask(077);
  const ProcessStateGuard second;
  umask(022);
  CHECK(first.changes().empty());
  CHECK(first.changes_until(second) == Changes{"the umask (022 to 077)"});
  umask(before);
}

}  // namespace process_state_test
