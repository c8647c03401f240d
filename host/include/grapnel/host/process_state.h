// What a plugin must leave alone in the process: locale, signal handlers, working directory,
// environment. A guard remembers them around foreign code, names what changed, and puts it back.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace grapnel::host {

class ProcessStateGuard {
 public:
  // Takes the snapshot; some tens of microseconds.
  ProcessStateGuard();
  ~ProcessStateGuard();
  ProcessStateGuard(const ProcessStateGuard&) = delete;
  ProcessStateGuard& operator=(const ProcessStateGuard&) = delete;

  // What differs now, one part of a sentence each: "the locale (C to de_DE.UTF-8)", "the handler of
  // SIGINT", "the working directory (/a to /b)", "the umask (022 to 000)", "the environment variable OMP_NUM_THREADS".
  [[nodiscard]] std::vector<std::string> changes() const;
  // Puts everything back as it was and returns what had changed.
  std::vector<std::string> restore();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace grapnel::host
