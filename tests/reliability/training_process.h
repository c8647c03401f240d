// `grapnel` as a child process whose end is not known beforehand: it is killed, signalled, or looked at
// while it runs. (grapnel/base/process.h runs programs to their end.)
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace grapnel::reliability {

struct Command {
  std::vector<std::string> arguments;                          // after "grapnel"
  std::filesystem::path directory;                             // the working directory
  std::vector<std::pair<std::string, std::string>> variables;  // added to this process's
  std::filesystem::path log;                                   // both streams, appended
};

// What a process holds now.
struct Holding {
  double seconds = 0;  // since it was started
  std::int64_t resident_kb = 0;
  std::int64_t files = 0;  // open descriptors
  std::int64_t threads = 0;
};

class TrainingProcess {
 public:
  // std::runtime_error when it can't be started.
  explicit TrainingProcess(const Command& command);
  ~TrainingProcess();  // kills it
  TrainingProcess(const TrainingProcess&) = delete;
  TrainingProcess& operator=(const TrainingProcess&) = delete;

  void signal(int number) const;
  // False when it has ended.
  bool runs();
  // Waits; as waitpid() says.
  int wait();
  // Seconds since it was started.
  double age() const;
  Holding holding() const;

 private:
  pid_t id_ = -1;
  int status_ = 0;
  bool ended_ = false;
  double started_ = 0;
};

// "exit code 0", "SIGKILL"
std::string describe_status(int status);

}  // namespace grapnel::reliability
