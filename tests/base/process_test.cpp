#include <grapnel/base/error.h>
#include <grapnel/base/process.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>

#include "catch.h"
#include "temp_dir.h"

namespace process_test {

using namespace grapnel;
using grapnel::test::TempDir;

namespace {

ProcessOptions child(std::vector<std::string> arguments) {
  ProcessOptions options;
  options.program = BASE_CHILD;
  options.arguments = std::move(arguments);
  options.deadline_seconds = 60.0;
  return options;
}

// True once the process is gone; it is given time to die.
bool vanishes(pid_t process) {
  for (int i = 0; i < 2000; ++i) {
    if (kill(process, 0) != 0 && errno == ESRCH) return true;
    // A dead orphan may wait for a parent that never asks: it is as good as gone.
    const std::string status = "/proc/" + std::to_string(process) + "/stat";
    try {
      if (test::read_file(status).find(") Z ") != std::string::npos) return true;
    } catch (const std::runtime_error&) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

}  // namespace

#if defined(__linux__)
TEST_CASE("a thread of the background gives way alone") {
  const auto niceness = [] {
    return getpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)));
  };
  const int before = niceness();
  int in_background = before;
  std::thread([&] {
    lower_thread_priority();
    in_background = niceness();
  }).join();
  CHECK(in_background >= std::min(before + 1, 19));
  CHECK(niceness() == before);
}
#endif

TEST_CASE("a process ends with its code, and arguments arrive as they are") {
  const ProcessResult seven = run_process(child({"exit", "7"}));
  CHECK(seven.end == ProcessResult::End::exited);
  CHECK(seven.exit_code == 7);
  CHECK_FALSE(seven.ok());
  CHECK(seven.describe() == "exited with 7");
  const ProcessResult echo = run_process(child({"echo", "a b", "", "\"$HOME\" *", "é\n"}));
  CHECK(echo.ok());
  CHECK(echo.output == "[a b][][\"$HOME\" *][é\n]");
}

TEST_CASE(
    "a child gets the environment with changes, the directory, and nothing else of its parent") {
  const TempDir dir;
  setenv("BASE_CHILD_KEPT", "kept", 1);
  setenv("BASE_CHILD_VARIABLE", "before", 1);
  const int leaked = open("/dev/null", O_RDONLY);  // without O_CLOEXEC
  const auto previous = std::signal(SIGPIPE, SIG_IGN);
  ProcessOptions options = child({"facts"});
  options.working_directory = dir.path();
  options.environment = {{"BASE_CHILD_VARIABLE", "after"}};
  const ProcessResult result = run_process(options);
  std::signal(SIGPIPE, previous);
  close(leaked);
  CHECK(result.output == "cwd=" + dir.path().string() +
                             "\nvariable=after\ninherited=kept\nstdin=empty\nsigpipe=default\n");
}

TEST_CASE("a child's crash is a result with its signal and the output before it") {
  const ProcessResult result = run_process(child({"crash"}));
  CHECK(result.end == ProcessResult::End::signalled);
  CHECK(result.signal_number == SIGSEGV);
  CHECK(result.error == "about to fall");
  CHECK(result.describe() == "was ended by SIGSEGV (11)");
}

TEST_CASE("a process past its deadline is killed, and its descendants with it") {
  ProcessOptions options = child({"wait-with-grandchild"});
  options.deadline_seconds = 0.5;
  ProcessResult result = run_process(options);
  while (result.output.empty() && options.deadline_seconds < 100) {  // it had not begun
    options.deadline_seconds *= 4;
    result = run_process(options);
  }
  CHECK(result.end == ProcessResult::End::timed_out);
  CHECK(result.describe().starts_with("did not finish within "));
  CHECK(result.seconds >= options.deadline_seconds);
  REQUIRE_FALSE(result.output.empty());
  CHECK(vanishes(static_cast<pid_t>(std::stoi(result.output))));
}

TEST_CASE("more output than a pipe holds on both streams does not block") {
  const ProcessResult result = run_process(child({"flood", "300"}));
  CHECK(result.ok());
  CHECK(result.output.size() == 300 * 1024 + 14);
  CHECK(result.error.size() == 300 * 1024 + 13);
  CHECK_FALSE(result.output_cut);
}

TEST_CASE("of long output the first and the last part are kept") {
  ProcessOptions options = child({"flood", "3000"});
  options.max_output_bytes = 10'000;
  const ProcessResult result = run_process(options);
  CHECK(result.ok());
  CHECK(result.output_cut);
  CHECK(result.error_cut);
  CHECK(result.output.size() < 10'100);
  CHECK(result.output.starts_with("xxx"));
  CHECK(result.output.ends_with("last of output"));
  CHECK(result.error.ends_with("last of error"));
  CHECK(result.output.find("bytes dropped]") != std::string::npos);
}

TEST_CASE("a descendant that keeps the streams open is not waited for") {
  const ProcessResult result = run_process(child({"leave-grandchild"}));
  CHECK(result.ok());
  const auto grandchild = static_cast<pid_t>(std::stoi(result.output));
  kill(grandchild, SIGKILL);
}

TEST_CASE("a child that closes its output streams is still waited for") {
  CHECK(run_process(child({"close-streams"})).exit_code == 7);
}

TEST_CASE("a program that cannot be started is an error that names it") {
  ProcessOptions options;
  options.program = "/no/such/program";
  CHECK_THROWS_WITH(run_process(options),
                    Catch::Contains("cannot start '/no/such/program': No such file"));
  const TempDir dir;
  options.program = dir.write("not-executable", "text");
  CHECK_THROWS_AS(run_process(options), IoError);
  options = child({"exit", "0"});
  options.working_directory = dir / "missing";
  CHECK_THROWS_AS(run_process(options), IoError);
}

TEST_CASE("no child is started while SIGCHLD is ignored, and the error says what to do") {
  const TempDir dir;
  ProcessOptions options;
  options.program = "/bin/sh";
  options.arguments = {"-c", "echo started > '" + (dir / "mark").string() + "'"};
  const auto previous = std::signal(SIGCHLD, SIG_IGN);
  CHECK_THROWS_WITH(run_process(options),
                    Catch::Contains("cannot start '/bin/sh'") && Catch::Contains("SIGCHLD"));
  std::signal(SIGCHLD, previous);
  CHECK_FALSE(std::filesystem::exists(dir / "mark"));
  CHECK(run_process(options).ok());
}

TEST_CASE("a child that cannot be waited for is an error, and its descendants are ended") {
  const TempDir dir;
  ProcessOptions options;
  options.program = "/bin/sh";
  options.working_directory = dir.path();
  options.arguments = {"-c",
                       "sleep 300 & echo $! > new; mv new descendant; "
                       "until [ -e go ]; do sleep 0.01; done"};
  const auto previous = std::signal(SIGCHLD, SIG_DFL);
  std::thread spoiler([&] {
    while (!std::filesystem::exists(dir / "descendant")) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::signal(SIGCHLD, SIG_IGN);  // from here on nobody is told how a child ended
    dir.write("go", "");
  });
  CHECK_THROWS_WITH(run_process(options), Catch::Contains("cannot wait for"));
  spoiler.join();
  std::signal(SIGCHLD, previous);
  CHECK(vanishes(static_cast<pid_t>(std::stoi(test::read_file(dir / "descendant")))));
}

TEST_CASE("many child processes leave no open files and no zombies") {
  const auto open_files = [] {
    int count = 0;
    for (int descriptor = 0; descriptor < 256; ++descriptor)
      count += fcntl(descriptor, F_GETFD) >= 0;
    return count;
  };
  const int before = open_files();
  for (int i = 0; i < 20; ++i) static_cast<void>(run_process(child({"exit", "0"})));
  CHECK_THROWS_AS(run_process(ProcessOptions{.program = "/no/such"}), IoError);
  CHECK(open_files() == before);
  CHECK(waitpid(-1, nullptr, WNOHANG) == -1);
  CHECK(errno == ECHILD);
}

TEST_CASE("a process replaces itself by another program") {
  const ProcessResult result =
      run_process(child({"replace", BASE_CHILD, "echo", "as another program"}));
  CHECK(result.ok());
  CHECK(result.output == "[as another program]");
  CHECK_THROWS_AS(replace_process("/no/such/program", {}), IoError);
}

TEST_CASE("signals have names") {
  CHECK(signal_name(SIGKILL) == "SIGKILL");
  CHECK(signal_name(77) == "signal 77");
}

}  // namespace process_test
