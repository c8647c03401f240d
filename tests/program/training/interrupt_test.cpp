// Signals to a real process: it ends in an orderly way, with 128 + the signal's number, and what it leaves
// is enough to go on and end with the same bits.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <stdexcept>
#include <thread>

#include "trainee.h"

namespace interrupt_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

// A command that runs while the test goes on.
class Running {
 public:
  Running(const Trainee& user, const Arguments& arguments) : output_(user.here("output")) {
    std::vector<std::string> words = {GRAPNEL};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    std::vector<std::string> variables = {"PATH=/usr/bin:/bin", "OMP_NUM_THREADS=1"};
    for (const auto& [name, value] : user.environment()) variables.push_back(name + "=" + value);
    std::vector<char*> envp;
    for (std::string& variable : variables) envp.push_back(variable.data());
    envp.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, user.directories.project.c_str());
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output_.c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, error().c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGTERM);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    const int status = posix_spawn(&pid_, GRAPNEL, &actions, &attributes, argv.data(), envp.data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (status != 0) throw std::runtime_error("cannot start grapnel");
  }

  ~Running() {
    if (ended_) return;
    kill(pid_, SIGKILL);
    wait();
  }

  void signal(int number) const { kill(pid_, number); }

  // Waits until a file is there, as long as the process lives.
  bool until_exists(const fs::path& file) {
    for (int i = 0; i < 3000; ++i) {
      if (fs::exists(file)) return true;
      if (waitpid(pid_, &status_, WNOHANG) == pid_) {
        ended_ = true;
        return false;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  }

  int wait() {
    if (!ended_) waitpid(pid_, &status_, 0);
    ended_ = true;
    return status_;
  }

  std::string answer() const { return read_file(output_); }
  fs::path error() const { return fs::path(output_).replace_filename("error"); }

 private:
  fs::path output_;
  pid_t pid_ = -1;
  int status_ = 0;
  bool ended_ = false;
};

// A training that would take hours, a step at a time, so that a signal comes in the middle of it.
const Arguments kLong = {"fit", "--json", "--set", "trainer.max_epochs=100000"};

fs::path last_of(const Trainee& user) {
  return user.here("runs/mlp-digits-0/checkpoints/last.ckpt");
}

}  // namespace

TEST_CASE("SIGINT and SIGTERM end a training with a checkpoint, a summary and 128 + the number") {
  for (const int number : {SIGINT, SIGTERM}) {
    const Trainee user;
    Running fit(user, kLong);
    REQUIRE(fit.until_exists(last_of(user)));
    fit.signal(number);
    const int status = fit.wait();
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 128 + number);
    const ConfigValue answer = parse_json(fit.answer(), "answer");
    CHECK_THAT(answer.at("stop_reason").as_string(), Contains("interrupted by SIG"));
    const std::int64_t steps = answer.at("global_step").as_int();
    const CheckpointFile last = CheckpointFile::open(last_of(user));
    CHECK(last.document().at("checkpoint").at("global_step").as_int() == steps);
  }
}

TEST_CASE("an interrupted and resumed run ends with the bits of an uninterrupted one") {
  const Trainee user;
  std::int64_t steps = 0;
  {
    Running fit(user, kLong);
    REQUIRE(fit.until_exists(last_of(user)));
    fit.signal(SIGINT);
    fit.wait();
    steps = parse_json(fit.answer(), "answer").at("global_step").as_int();
  }
  const std::string until = "trainer.max_steps=" + std::to_string(steps + 20);
  const auto finish = [&](const Arguments& more) {
    Arguments arguments = {"fit", "--set", until, "--set", "trainer.max_epochs=100000"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProcessResult result = user.run(arguments);
    INFO(result.error);
    REQUIRE(result.exit_code == 0);
  };
  finish({"--run-dir", "runs/mlp-digits-0", "--ckpt", "last"});
  finish({"--run-dir", "whole"});
  const auto whole = tensors_of(user.here("whole/checkpoints/last.ckpt"));
  CHECK(!whole.empty());
  CHECK(tensors_of(last_of(user)) == whole);
}

TEST_CASE("a second SIGINT ends the process at once") {
  const Trainee user;
  Running fit(user, kLong);
  REQUIRE(fit.until_exists(last_of(user)));
  fit.signal(SIGSTOP);  // so that both are there when it goes on
  fit.signal(SIGINT);
  fit.signal(SIGCONT);
  fit.signal(SIGINT);
  const int status = fit.wait();
  // Either both arrived before the first was looked at, or the first had already ended the run.
  const bool at_once = WIFSIGNALED(status) && WTERMSIG(status) == SIGINT;
  const bool in_order = WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGINT;
  CHECK((at_once || in_order));
}

}  // namespace interrupt_test
