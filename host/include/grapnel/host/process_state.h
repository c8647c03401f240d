// Process state that a plugin must not change: locale, signal handlers, working directory,
// environment. A guard saves it around foreign code, reports what changed, and restores it.
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

  // The changes so far, each as part of a sentence: "the locale (C to de_DE.UTF-8)", "the handler
  // of SIGINT", "the working directory (/a to /b)", "the umask (022 to 000)", "the environment
  // variable OMP_NUM_THREADS".
  [[nodiscard]] std::vector<std::string> changes() const;
  // Restores everything and returns what had changed.
  std::vector<std::string> restore();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace grapnel::host
