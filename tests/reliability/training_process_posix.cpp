#include "training_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include <grapnel/base/clock.h>
#include <grapnel/base/process.h>

extern char** environ;

namespace grapnel::reliability {

namespace fs = std::filesystem;

namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> environment_with(
    const std::vector<std::pair<std::string, std::string>>& variables) {
  std::vector<std::string> all;
  for (const auto& [name, value] : variables) all.push_back(name + "=" + value);
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const bool replaced = std::any_of(variables.begin(), variables.end(), [&](const auto& pair) {
      return text.starts_with(pair.first + "=");
    });
    if (!replaced) all.push_back(text);
  }
  return all;
}

}  // namespace

TrainingProcess::TrainingProcess(const Command& command) : started_(system_clock().now()) {
  std::vector<std::string> arguments = {GRAPNEL};
  arguments.insert(arguments.end(), command.arguments.begin(), command.arguments.end());
  std::vector<std::string> variables = environment_with(command.variables);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, command.log.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
  posix_spawn_file_actions_addchdir_np(&files, command.directory.c_str());
  const int failure = posix_spawn(&id_, GRAPNEL, &files, nullptr, pointers(arguments).data(),
                                  pointers(variables).data());
  posix_spawn_file_actions_destroy(&files);
  if (failure != 0) {
    throw std::system_error(failure, std::generic_category(), "cannot start " GRAPNEL);
  }
}

TrainingProcess::~TrainingProcess() {
  if (ended_) return;
  kill(id_, SIGKILL);
  wait();
}

void TrainingProcess::signal(int number) const {
  if (!ended_) kill(id_, number);
}

bool TrainingProcess::runs() {
  if (!ended_) ended_ = waitpid(id_, &status_, WNOHANG) == id_;
  return !ended_;
}

int TrainingProcess::wait() {
  while (!ended_) ended_ = waitpid(id_, &status_, 0) == id_ || errno != EINTR;
  return status_;
}

double TrainingProcess::age() const {
  return system_clock().now() - started_;
}

Holding TrainingProcess::holding() const {
  const fs::path process = fs::path("/proc") / std::to_string(id_);
  Holding holding{.seconds = age()};
  std::ifstream status(process / "status");
  for (std::string key; status >> key;) {
    if (key == "VmRSS:") status >> holding.resident_kb;
    if (key == "Threads:") status >> holding.threads;
  }
  std::error_code gone;
  for (fs::directory_iterator file(process / "fd", gone), end; file != end; file.increment(gone)) {
    ++holding.files;
  }
  return holding;
}

std::string describe_status(int status) {
  if (WIFSIGNALED(status)) return signal_name(WTERMSIG(status));
  return "exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace grapnel::reliability
