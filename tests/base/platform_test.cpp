#include <grapnel/base/clock.h>
#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/platform.h>

#include <fcntl.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <thread>

#include "catch.h"
#include "temp_dir.h"

namespace platform_test {

using namespace grapnel;
using grapnel::test::TempDir;
namespace fs = std::filesystem;

namespace {

// An environment variable for a scope.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name), before_(environment_variable(name)) {
    value != nullptr ? setenv(name, value, 1) : unsetenv(name);
  }
  ~Variable() { before_ ? setenv(name_, before_->c_str(), 1) : unsetenv(name_); }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

}  // namespace

TEST_CASE("the user's directories follow the XDG specification") {
  const Variable home("HOME", "/home/somebody");
  {
    const Variable config("XDG_CONFIG_HOME", "/x/config");
    const Variable data("XDG_DATA_HOME", "/x/data");
    const Variable cache("XDG_CACHE_HOME", "/x/cache");
    CHECK(user_config_directory() == "/x/config/grapnel");
    CHECK(user_data_directory() == "/x/data/grapnel");
    CHECK(user_cache_directory() == "/x/cache/grapnel");
  }
  const Variable config("XDG_CONFIG_HOME", nullptr);
  const Variable data("XDG_DATA_HOME", "");
  const Variable cache("XDG_CACHE_HOME", "relative/is/ignored");
  CHECK(user_config_directory() == "/home/somebody/.config/grapnel");
  CHECK(user_data_directory() == "/home/somebody/.local/share/grapnel");
  CHECK(user_cache_directory() == "/home/somebody/.cache/grapnel");
}

TEST_CASE("without HOME the account's home directory is used") {
  const Variable home("HOME", nullptr);
  const Variable config("XDG_CONFIG_HOME", nullptr);
  CHECK(user_config_directory().is_absolute());
}

TEST_CASE("the running program finds its own file") {
  CHECK(executable_path().filename() == "base_tests");
  CHECK(fs::exists(executable_path()));
}

TEST_CASE("a file's identity differs from other files' and from its own after a change") {
  const TempDir dir;
  const auto path = dir.write("f", "one");
  const FileIdentity first = file_identity(path).value();
  CHECK(first.kind == FileKind::regular);
  CHECK(first.size == 3);
  CHECK(first.owned_by_us);
  CHECK(first.owner == geteuid());
  CHECK(first == file_identity(path).value());
  fs::copy_file(path, dir / "copy");
  CHECK_FALSE(file_identity(dir / "copy").value() == first);
  // Same size, same modification time: the change of the inode still shows.
  const auto time = fs::last_write_time(path);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  dir.write("f", "two");
  fs::last_write_time(path, time);
  const FileIdentity second = file_identity(path).value();
  CHECK(second.size == first.size);
  CHECK(second.modified_ns == first.modified_ns);
  CHECK_FALSE(second == first);
}

TEST_CASE("a missing file has no identity, an unreachable one is an error or missing") {
  const TempDir dir;
  CHECK_FALSE(file_identity(dir / "missing"));
  CHECK_FALSE(file_identity(dir.write("file", "") / "below"));
}

TEST_CASE("a symbolic link is followed, or described itself, as asked") {
  const TempDir dir;
  dir.write("f", "abc");
  fs::create_symlink(dir / "f", dir / "link");
  fs::create_symlink(dir / "missing", dir / "dangling");
  CHECK(file_identity(dir / "link")->kind == FileKind::regular);
  CHECK(file_identity(dir / "link", Links::refuse)->kind == FileKind::symbolic_link);
  CHECK_FALSE(file_identity(dir / "dangling"));
  CHECK(file_identity(dir / "dangling", Links::refuse)->kind == FileKind::symbolic_link);
  CHECK(file_identity(dir.path())->kind == FileKind::directory);
  CHECK(file_identity("/dev/null")->kind == FileKind::other);
}

TEST_CASE("files and directories that others can write are recognized") {
  const TempDir dir;
  const auto path = dir.write("f", "");
  const auto writable = [&](int mode) {
    REQUIRE(chmod(path.c_str(), static_cast<mode_t>(mode)) == 0);
    return file_identity(path)->writable_by_others;
  };
  CHECK_FALSE(writable(0644));
  CHECK_FALSE(writable(0700));
  CHECK(writable(0664));
  CHECK(writable(0646));
  REQUIRE(chmod(dir.path().c_str(), 01777) == 0);
  CHECK(file_identity(dir.path())->writable_by_others);
  CHECK(file_identity(dir.path())->sticky);
  REQUIRE(chmod(dir.path().c_str(), 0700) == 0);
}

TEST_CASE("a file is opened for reading, writing or creating as its mode says") {
  const TempDir dir;
  const auto path = dir / "f";
  {
    File file = File::open(path, OpenMode::create_private);
    file.write(std::as_bytes(std::span("hello", 5)));
    file.sync();
    file.close();
  }
  CHECK(file_identity(path)->mode == 0600);
  CHECK_THROWS_AS(File::open(path, OpenMode::create_new), IoError);
  File file = File::open(path, OpenMode::read);
  std::array<std::byte, 3> buffer{};
  CHECK(file.read(buffer) == 3);
  CHECK(file.read(buffer) == 2);
  CHECK(file.read(buffer) == 0);
  CHECK_THROWS_AS(file.write(buffer), IoError);
  File::open(path, OpenMode::read_write);
  CHECK(file_identity(path)->size == 5);
  CHECK_THROWS_AS(File::open(dir / "missing", OpenMode::read), IoError);
}

TEST_CASE("an open file keeps its identity when its path leads to another file") {
  const TempDir dir;
  const auto path = dir.write("f", "old");
  File file = File::open(path, OpenMode::read);
  write_file(path, "other");
  CHECK(file.identity().size == 3);
  CHECK(file.identity().inode != file_identity(path)->inode);
}

TEST_CASE("a symbolic link is not opened where links are refused") {
  const TempDir dir;
  dir.write("f", "x");
  fs::create_symlink(dir / "f", dir / "link");
  CHECK_NOTHROW(File::open(dir / "link", OpenMode::read));
  CHECK_THROWS_WITH(File::open(dir / "link", OpenMode::read, Links::refuse),
                    Catch::Contains("symbolic links are not followed here"));
}

TEST_CASE("opening a FIFO does not wait for a writer") {
  const TempDir dir;
  REQUIRE(mkfifo((dir / "fifo").c_str(), 0600) == 0);
  CHECK(File::open(dir / "fifo", OpenMode::read).identity().kind == FileKind::other);
}

TEST_CASE("a mapped file shows its bytes, also when it is moved and when it is empty") {
  const TempDir dir;
  MappedFile mapped = MappedFile::map(dir.write("f", "hello"));
  CHECK(mapped.bytes().size() == 5);
  const MappedFile moved = std::move(mapped);
  CHECK(std::to_integer<char>(moved.bytes()[4]) == 'o');
  CHECK(mapped.bytes().empty());
  CHECK(MappedFile::map(dir.write("empty", "")).bytes().empty());
  CHECK_THROWS_AS(MappedFile::map(dir.path()), IoError);
  CHECK_THROWS_AS(MappedFile::map(fs::path("/dev/zero")), IoError);
}

TEST_CASE("a mapping outlives the name of its file") {
  const TempDir dir;
  const auto path = dir.write("f", "hello");
  const MappedFile mapped = MappedFile::map(path);
  write_file(path, "replaced by another file");
  fs::remove(path);
  CHECK(std::to_integer<char>(mapped.bytes()[0]) == 'h');
}

TEST_CASE("a private directory is made once") {
  const TempDir dir;
  CHECK(create_private_directory(dir / "d"));
  CHECK_FALSE(create_private_directory(dir / "d"));
  CHECK(file_identity(dir / "d")->mode == 0700);
  CHECK_THROWS_AS(create_private_directory(dir / "no/d"), IoError);
}

TEST_CASE("locks exclude one another within a process") {
  const TempDir dir;
  const auto path = dir / "lock";
  {
    const auto exclusive = FileLock::try_acquire(path, LockKind::exclusive);
    REQUIRE(exclusive);
    CHECK_FALSE(FileLock::try_acquire(path, LockKind::exclusive));
    CHECK_FALSE(FileLock::try_acquire(path, LockKind::shared));
  }
  const auto one = FileLock::try_acquire(path, LockKind::shared);
  const auto two = FileLock::try_acquire(path, LockKind::shared);
  CHECK(one);
  CHECK(two);
  CHECK_FALSE(FileLock::try_acquire(path, LockKind::exclusive));
}

TEST_CASE("a lock that another process holds is waited for, and freed by its end") {
  const TempDir dir;
  const std::string lock = (dir / "lock").string();
  const std::string sign = (dir / "sign").string();
  pid_t child = 0;
  const char* arguments[] = {BASE_CHILD, "hold-lock", lock.c_str(), sign.c_str(), nullptr};
  REQUIRE(posix_spawn(&child, BASE_CHILD, nullptr, nullptr, const_cast<char**>(arguments),
                      environ) == 0);
  while (!fs::exists(sign)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK_FALSE(FileLock::try_acquire(lock, LockKind::shared));
  CHECK_THROWS_WITH(FileLock::acquire(lock, LockKind::exclusive, 0.05),
                    Catch::Contains("another process holds it"));
  kill(child, SIGKILL);
  CHECK_NOTHROW(FileLock::acquire(lock, LockKind::exclusive, 60.0));
  waitpid(child, nullptr, 0);
}

TEST_CASE("a regular file is not a terminal") {
  const TempDir dir;
  const int before = dup(STDOUT_FILENO);
  const int file = open((dir / "out").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  dup2(file, STDOUT_FILENO);
  const bool terminal = is_terminal(Stream::output);
  const auto width = terminal_width(Stream::output);
  dup2(before, STDOUT_FILENO);
  close(before);
  close(file);
  CHECK_FALSE(terminal);
  CHECK_FALSE(width);
}

TEST_CASE("a pseudo terminal is a terminal and has the width it reports") {
  const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  REQUIRE(master >= 0);
  REQUIRE(grantpt(master) == 0);
  REQUIRE(unlockpt(master) == 0);
  const int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  REQUIRE(slave >= 0);
  winsize size{};
  size.ws_col = 97;
  REQUIRE(ioctl(slave, TIOCSWINSZ, &size) == 0);
  const int before = dup(STDERR_FILENO);
  dup2(slave, STDERR_FILENO);
  const bool terminal = is_terminal(Stream::error);
  const auto width = terminal_width(Stream::error);
  dup2(before, STDERR_FILENO);
  close(before);
  close(slave);
  close(master);
  CHECK(terminal);
  CHECK(width == 97);
}

}  // namespace platform_test
