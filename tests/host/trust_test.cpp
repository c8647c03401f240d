#include <grapnel/host/trust.h>

#include <unistd.h>

#include <filesystem>

#include "catch.h"
#include "temp_dir.h"

namespace trust_test {

using Catch::Contains;
using grapnel::host::TrustChecker;
using grapnel::test::TempDir;
namespace fs = std::filesystem;

namespace {

void set_mode(const fs::path& path, unsigned mode) {
  fs::permissions(path, static_cast<fs::perms>(mode));
}

std::string refusal(const fs::path& file) {
  return TrustChecker().refusal(file);
}

}  // namespace

TEST_CASE("a file and directories owned by the user are trusted") {
  const TempDir dir;
  CHECK(refusal(dir.write("plugins/ema.so", "x")).empty());
}

TEST_CASE("a file that others can write is refused, with what to do") {
  const TempDir dir;
  const fs::path file = dir.write("ema.so", "x");
  set_mode(file, 0646);
  CHECK(refusal(file) == "the file '" + file.string() +
                             "' is writable by others (mode 0646), who could replace the plugin; "
                             "to prevent that: chmod go-w '" +
                             file.string() + "'");
  set_mode(file, 0644);
  CHECK(refusal(file).empty());
}

TEST_CASE("a directory that others can write is refused, however far above the file") {
  const TempDir dir;
  const fs::path file = dir.write("a/b/c/ema.so", "x");
  set_mode(dir / "a", 0757);
  CHECK_THAT(refusal(file),
             Contains("the directory '" + (dir / "a").string() + "'") && Contains("mode 0757"));
  set_mode(dir / "a", 0755);
  CHECK(refusal(file).empty());
}

TEST_CASE("a directory in which only owners may replace their files is trusted") {
  const TempDir dir;
  const fs::path file = dir.write("a/ema.so", "x");
  set_mode(dir / "a", 01777);
  CHECK(refusal(file).empty());
}

TEST_CASE("a file's sticky bit does not make it trusted") {
  const TempDir dir;
  const fs::path file = dir.write("ema.so", "x");
  set_mode(file, 01666);
  CHECK_THAT(refusal(file), Contains("is writable by others"));
}

TEST_CASE("a file writable by a group with other members is refused") {
  if (geteuid() != 0) return;  // a user's own private group is trusted
  const TempDir dir;
  const fs::path file = dir.write("a/ema.so", "x");
  set_mode(dir / "a", 0775);
  CHECK_THAT(refusal(file), Contains("mode 0775"));
}

TEST_CASE("a file of another user is refused") {
  if (geteuid() != 0) return;  // only the administrator can give files away
  const TempDir dir;
  const fs::path file = dir.write("a/ema.so", "x");
  REQUIRE(chown(file.c_str(), 12345, 12345) == 0);
  CHECK_THAT(refusal(file), Contains("belongs to another user (id 12345)"));
  REQUIRE(chown(file.c_str(), 0, 0) == 0);
  REQUIRE(chown((dir / "a").c_str(), 12345, 12345) == 0);
  CHECK_THAT(refusal(file), Contains("the directory '" + (dir / "a").string() + "' belongs to"));
}

TEST_CASE("a path that is not a regular file is refused") {
  const TempDir dir;
  const fs::path file = dir.write("ema.so", "x");
  fs::create_symlink(file, dir / "link.so");
  fs::create_directory(dir / "directory.so");
  CHECK_THAT(refusal(dir / "link.so"), Contains("not a regular file"));
  CHECK_THAT(refusal(dir / "directory.so"), Contains("not a regular file"));
  CHECK_THAT(refusal(dir / "absent.so"), Contains("does not exist"));
}

}  // namespace trust_test
