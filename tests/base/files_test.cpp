#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/platform.h>
#include <grapnel/base/process.h>

#include <sys/stat.h>

#include <stdexcept>
#include <thread>

#include "catch.h"
#include "temp_dir.h"

namespace files_test {

using namespace grapnel;
using grapnel::test::TempDir;
namespace fs = std::filesystem;

namespace {

std::size_t entries(const fs::path& directory) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory), {}));
}

}  // namespace

TEST_CASE("a file is read whole, within its limit") {
  const TempDir dir;
  const std::string content("a\0b\n", 4);
  const auto path = dir.write("f", content);
  CHECK(read_file(path, 100) == content);
  CHECK(read_file(path, 4) == content);
  CHECK_THROWS_WITH(read_file(path, 3), Catch::Contains("has 4 B, at most 3 B"));
  CHECK(read_file(dir.write("empty", ""), 0).empty());
  CHECK(read_file("/proc/self/status", 100'000).starts_with("Name:"));  // its size says 0
  CHECK_THROWS_AS(read_file("/proc/self/status", 10), DataError);
}

TEST_CASE("only regular files are read") {
  const TempDir dir;
  CHECK_THROWS_AS(read_file(dir / "missing", 10), IoError);
  CHECK_THROWS_WITH(read_file(dir.path(), 10), Catch::Contains("Is a directory"));
  CHECK_THROWS_AS(read_file("/dev/zero", 10), IoError);
  const auto fifo = dir / "fifo";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  CHECK_THROWS_WITH(read_file(fifo, 10), Catch::Contains("not a regular file"));  // and never hangs
}

TEST_CASE("a committed file replaces the old one, and nothing else is left") {
  const TempDir dir;
  const auto path = dir.write("f", "old");
  AtomicFile file(path);
  file.write("new ");
  file.write("content");
  CHECK(test::read_file(path) == "old");
  CHECK(file.temporary().parent_path() == dir.path());
  file.commit();
  CHECK(test::read_file(path) == "new content");
  CHECK(entries(dir.path()) == 1);
  CHECK_THROWS_AS(file.write("more"), std::logic_error);
  CHECK_THROWS_AS(file.commit(), std::logic_error);
}

TEST_CASE("a file that is not committed leaves everything as it was") {
  const TempDir dir;
  const auto path = dir.write("f", "old");
  try {
    AtomicFile file(path);
    file.write("half");
    throw std::runtime_error("something failed");
  } catch (const std::runtime_error&) {
  }
  CHECK(test::read_file(path) == "old");
  CHECK(entries(dir.path()) == 1);
}

TEST_CASE("a symbolic link at the target is replaced, not followed") {
  const TempDir dir;
  const auto target = dir.write("target", "untouched");
  fs::create_symlink(target, dir / "link");
  write_file(dir / "link", "new");
  CHECK(test::read_file(target) == "untouched");
  CHECK_FALSE(fs::is_symlink(dir / "link"));
  CHECK(test::read_file(dir / "link") == "new");
}

TEST_CASE("a write to a place that is not writable is an error that names the target") {
  const TempDir dir;
  CHECK_THROWS_WITH(write_file(dir / "no" / "f", "x"),
                    Catch::Contains("cannot write to") && Catch::Contains("/no/f'"));
  fs::create_directory(dir / "d");
  dir.write("d/inside", "x");
  CHECK_THROWS_AS(write_file(dir / "d", "x"), IoError);
  CHECK(entries(dir.path()) == 1);
}

TEST_CASE("a reader sees the old file or the new one while it is replaced again and again") {
  const TempDir dir;
  const auto path = dir / "f";
  const std::string a(100'000, 'a');
  const std::string b(70'000, 'b');
  write_file(path, a, Durability::fast);
  std::thread writer([&] {
    for (int i = 0; i < 200; ++i) write_file(path, i % 2 == 0 ? b : a, Durability::fast);
  });
  bool whole = true;
  for (int i = 0; i < 200; ++i) {
    const std::string seen = test::read_file(path);
    whole = whole && (seen == a || seen == b);
  }
  writer.join();
  CHECK(whole);
}

TEST_CASE("new files have the permissions that the user's umask leaves") {
  const TempDir dir;
  const mode_t mask = umask(027);
  write_file(dir / "f", "x");
  umask(mask);
  CHECK((fs::status(dir / "f").permissions() & fs::perms::mask) == fs::perms(0640));
}

TEST_CASE(
    "a temporary directory is private and is removed with all its contents when its scope ends") {
  const TempDir outer;
  fs::path path;
  {
    TemporaryDirectory dir("probe-", outer.path());
    path = dir.path();
    CHECK(path.filename().string().starts_with("probe-"));
    CHECK((fs::status(path).permissions() & fs::perms::mask) == fs::perms::owner_all);
    fs::create_directories(dir / "a/b");
    write_file(dir / "a/b/c", "x", Durability::fast);
    TemporaryDirectory moved = std::move(dir);
    CHECK(fs::exists(path));
  }
  CHECK_FALSE(fs::exists(path));
  CHECK(TemporaryDirectory().path() != TemporaryDirectory().path());
}

TEST_CASE("whether a path lies below a directory is decided after links are resolved") {
  const TempDir dir;
  fs::create_directories(dir / "in/deep");
  fs::create_directories(dir / "in-side");
  dir.write("outside", "x");
  fs::create_symlink(dir / "outside", dir / "in/link");
  CHECK(is_below(dir / "in/deep", dir / "in"));
  CHECK(is_below(dir / "in", dir / "in"));
  CHECK_FALSE(is_below(dir / "in/link", dir / "in"));
  CHECK_FALSE(is_below(dir / "in-side", dir / "in"));
  CHECK_FALSE(is_below(dir / "in/../outside", dir / "in"));
  CHECK_THROWS_AS(is_below(dir / "missing", dir / "in"), IoError);
}

TEST_CASE("a relative path that could leave its directory is not safe") {
  for (const char* good : {"a", "a/b.so", "./a", "a..b", "..a"}) {
    INFO(good);
    CHECK(is_safe_relative(good));
  }
  for (const char* bad : {"", "/a", "..", "a/../b", "../a", "a/..", "a\\b", "..\\a", "C:a", "c:/a",
                          "a\nb", "a\x7f"}) {
    INFO(bad);
    CHECK_FALSE(is_safe_relative(bad));
  }
}

TEST_CASE("paths below the working directory are shown short") {
  const fs::path here = fs::current_path();
  CHECK(display_path(here / "a" / "b") == "a/b");
  CHECK(display_path("a/b") == "a/b");
  CHECK(display_path("/definitely/elsewhere") == "/definitely/elsewhere");
}

TEST_CASE("a link is replaced in one step, and so is a file in its place") {
  const TempDir dir;
  dir.write("a", "a");
  dir.write("b", "b");
  replace_link("a", dir / "last");
  CHECK(fs::read_symlink(dir / "last") == "a");
  replace_link("b", dir / "last");
  CHECK(fs::read_symlink(dir / "last") == "b");
  replace_link("a", dir.write("file", "x"));
  CHECK(fs::read_symlink(dir / "file") == "a");
  CHECK(entries(dir.path()) == 4);
  fs::create_directory(dir / "directory");
  CHECK_THROWS_WITH(replace_link("a", dir / "directory"),
                    Catch::Contains("cannot make a link at '" + (dir / "directory").string()));
  CHECK_THROWS_AS(replace_link("a", dir / "missing" / "last"), IoError);
  CHECK(entries(dir.path()) == 5);
}

TEST_CASE("what killed writers left is removed, and nothing else") {
  const TempDir dir;
  const std::string dead = "999999999";  // no process has such an id
  for (const char* name : {".a.ckpt.tmp-", ".run.json.tmp-", ".x.tmp-y.tmp-"}) {
    dir.write(name + dead + "-3-12345", "half");
  }
  fs::create_symlink("a", dir / (".last.ckpt.tmp-" + dead + "-0-1"));
  fs::create_symlink("a", dir / ".last.ckpt.new");
  const std::string ours = std::to_string(process_id());
  dir.write(".of_an_earlier_process_of_this_id.tmp-" + ours + "-0-1", "half");
  const std::vector<std::string> kept = {
      ".other.new",   "a.ckpt",         "a.tmp-" + dead + "-3-12345",
      ".a.tmp-",      ".a.tmp-" + dead, ".a.tmp-" + dead + "-1-2-3",
      ".a.tmp-x-1-2", ".a.tmp-1-1-1",   ".tmp-" + dead + "-3-12345"};  // 1 runs
  for (const std::string& name : kept) dir.write(name, "kept");
  fs::create_directory(dir / (".d.tmp-" + dead + "-3-12345"));
  AtomicFile alive(dir / "alive");
  CHECK(remove_stale_temporaries(dir.path()).size() == 6);
  CHECK(entries(dir.path()) == kept.size() + 2);
  for (const std::string& name : kept) CHECK(fs::exists(dir / name));
  alive.commit();
  CHECK(remove_stale_temporaries(dir.path()).empty());
  CHECK(remove_stale_temporaries(dir / "missing").empty());
}

TEST_CASE("a temporary that is locked stays, although no process here has its id") {
  const TempDir dir;
  const auto path = dir.write(".a.tmp-999999999-0-1", "of another container");
  {
    File file = File::open(path, OpenMode::read);
    REQUIRE(file.try_lock());
    CHECK(remove_stale_temporaries(dir.path()).empty());
  }
  CHECK(remove_stale_temporaries(dir.path()) == std::vector{path});
}

TEST_CASE("small pieces and large ones arrive in their order") {
  const TempDir dir;
  std::string content;
  AtomicFile file(dir / "f", Durability::fast);
  for (std::size_t size : {1U, 100U, 65535U, 65536U, 3U, 70000U, 0U, 40000U, 40000U, 7U}) {
    const std::string piece(size, static_cast<char>('a' + size % 26));
    content += piece;
    file.write(piece);
  }
  file.commit();
  CHECK(test::read_file(dir / "f") == content);
}

TEST_CASE("a removed file may be missing, and a failure is returned") {
  const TempDir dir;
  CHECK_FALSE(remove_file(dir.write("a", "x")));
  CHECK_FALSE(remove_file(dir / "a"));
  dir.write("d/inside", "x");
  CHECK(remove_file(dir / "d"));
}

TEST_CASE("the directories of a file are made where they are missing") {
  const TempDir dir;
  create_parent_directories(dir / "a/b/c.txt");
  CHECK(fs::is_directory(dir / "a/b"));
  create_parent_directories(dir / "a/b/d.txt");
  create_parent_directories("no_directory.txt");
  dir.write("file", "");
  CHECK_THROWS_AS(create_parent_directories(dir / "file/b/c.txt"), IoError);
  CHECK_THROWS_WITH(create_parent_directories(dir / "file/b/c.txt"),
                    Catch::Contains("cannot create directory") && Catch::Contains("file/b"));
  make_directories(dir / "x/./y/../z/");
  CHECK(fs::is_directory(dir / "x/z"));
  make_directories("");
  make_directories("/");
}

}  // namespace files_test
