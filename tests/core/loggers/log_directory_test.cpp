#include "grapnel/loggers/log_directory.h"

#include <set>
#include <thread>
#include <vector>

#include "catch.h"
#include "grapnel/base/error.h"
#include "temp_dir.h"

namespace log_directory_test {

using namespace grapnel;
using namespace grapnel::test;
namespace fs = std::filesystem;

TEST_CASE("a log directory takes the next free version, or the one that was chosen") {
  const TempDir directory;
  fs::create_directories(directory / "logs" / "version_3");
  fs::create_directories(directory / "logs" / "version_x");
  directory.write("logs/version_7", "a file, not a run");
  LogDirectory next({.save_dir = directory.path(), .name = "logs"});
  CHECK(next.version() == "version_4");
  CHECK_FALSE(fs::exists(next.path()));
  next.claim();
  CHECK(fs::is_directory(next.path()));
  next.claim();
  CHECK(next.version() == "version_4");

  // A process that was killed has left a temporary there.
  const fs::path left = directory.write("logs/version_3/.metrics.csv.tmp-999999999-0-1", "part");
  LogDirectory chosen({.save_dir = directory.path(), .name = "logs", .version = "version_3"});
  chosen.claim();
  CHECK_FALSE(fs::exists(left));
  CHECK(chosen.path() == directory / "logs" / "version_3");
  LogDirectory nameless({.save_dir = directory.path(), .name = "", .version = "mine"});
  CHECK(nameless.path().lexically_normal() == directory / "mine");
}

TEST_CASE("runs that start at the same time get different log directories") {
  const TempDir directory;
  std::vector<LogDirectory> runs(16, LogDirectory({.save_dir = directory.path(), .name = "logs"}));
  std::vector<std::thread> threads;
  for (LogDirectory& run : runs) threads.emplace_back([&run] { run.claim(); });
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> versions;
  for (const LogDirectory& run : runs) versions.insert(run.version());
  CHECK(versions.size() == runs.size());
}

TEST_CASE("a log directory's name that leads out of its parent is refused") {
  CHECK_THROWS_AS(LogDirectory({.name = "../up"}), ConfigError);
  CHECK_THROWS_AS(LogDirectory({.name = "a", .version = "/abs"}), ConfigError);
  CHECK_THROWS_AS(LogDirectory({.save_dir = ""}), ConfigError);
}

}  // namespace log_directory_test
