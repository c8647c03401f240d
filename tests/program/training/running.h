// A command of a Trainee that runs while the test continues: real signals, streams that are closed or
// have no reader.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <stdexcept>
#include <thread>

#include "trainee.h"

namespace grapnel::test {

class Running {
 public:
  enum class StreamKind {
    file,       // of the working directory: "output", "error"
    closed,     // the process has no such stream
    no_reader,  // a pipe whose other end is closed, as after the end of `tee`
  };
  struct Setting {
    StreamKind input = StreamKind::file;  // file: nothing to read
    StreamKind output = StreamKind::file;
    StreamKind error = StreamKind::file;
    std::vector<int> ignored = {};  // signals that it is started with ignored
    Variables variables = {};       // in addition to the user's
    std::string before = "";        // of the shell that starts it: "ulimit -f 40"
    std::string name = "";          // before "output" and "error"
  };

  Running(const Trainee& user, const Arguments& arguments) : Running(user, arguments, Setting()) {}

  Running(const Trainee& user, const Arguments& arguments, const Setting& setting)
      : output_(user.here(setting.name + "output")), error_(user.here(setting.name + "error")) {
    // A shell sets up what posix_spawn() can't: `trap "" SIG` ignores, `>&-` closes.
    std::string script;
    for (const int number : setting.ignored) script += "trap '' " + std::to_string(number) + "; ";
    if (!setting.before.empty()) script += setting.before + "; ";
    script += "exec \"$@\"";
    if (setting.input == StreamKind::closed) script += " <&-";
    if (setting.output == StreamKind::closed) script += " >&-";
    if (setting.error == StreamKind::closed) script += " 2>&-";
    std::vector<std::string> words = {"/bin/sh", "-c", script, "sh", GRAPNEL};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<std::string> variables = {"OMP_NUM_THREADS=1"};
    for (const auto& [name, value] : user.environment()) variables.push_back(name + "=" + value);
    bool has_path = false;
    for (const auto& [name, value] : setting.variables) {
      has_path = has_path || name == "PATH";
      variables.push_back(name + "=" + value);
    }
    if (!has_path) variables.emplace_back("PATH=/usr/bin:/bin");

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, user.directories.project.c_str());
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    connect(actions, STDOUT_FILENO, setting.output, output_);
    connect(actions, STDERR_FILENO, setting.error, error_);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    const int status = posix_spawn(&pid_, "/bin/sh", &actions, &attributes, pointers(words).data(),
                                   pointers(variables).data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (status != 0) throw std::runtime_error("cannot start grapnel");
  }

  ~Running() {
    if (ended_) return;
    kill(pid_, SIGKILL);
    wait();
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  pid_t id() const { return pid_; }
  void signal(int number) const { kill(pid_, number); }

  bool has_ended() {
    ended_ = ended_ || waitpid(pid_, &status_, WNOHANG) == pid_;
    return ended_;
  }

  // Waits until a file is there, as long as the process lives.
  bool until_exists(const std::filesystem::path& file) {
    return until([&] { return std::filesystem::exists(file); });
  }
  // The same for a text on its standard error.
  bool until_says(const std::string& text) {
    return until([&] { return error().find(text) != std::string::npos; });
  }

  // The status as of waitpid().
  int wait() {
    if (!ended_) waitpid(pid_, &status_, 0);
    ended_ = true;
    return status_;
  }
  // The exit code; -1 when a signal ended it.
  int exit_code() {
    const int status = wait();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::string answer() const { return read_file(output_); }
  std::string error() const { return read_file(error_); }

 private:
  template <class Condition>
  bool until(Condition holds) {
    for (int i = 0; i < 3000; ++i) {
      if (holds()) return true;
      if (has_ended()) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  }

  static void connect(posix_spawn_file_actions_t& actions, int number, StreamKind kind,
                      const std::filesystem::path& file) {
    if (kind != StreamKind::no_reader) {
      posix_spawn_file_actions_addopen(&actions, number, file.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                       0600);
      return;
    }
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    posix_spawn_file_actions_adddup2(&actions, ends[1], number);
    close(ends[0]);  // ends[1] is closed with this test's process
  }

  static std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (std::string& text : texts) out.push_back(text.data());
    out.push_back(nullptr);
    return out;
  }

  std::filesystem::path output_, error_;
  pid_t pid_ = -1;
  int status_ = 0;
  bool ended_ = false;
};

}  // namespace grapnel::test
