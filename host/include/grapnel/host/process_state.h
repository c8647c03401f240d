// Process state that a plugin must not change: locale, signal handlers, blocked signals, working
// directory, umask, limits of resources, environment. A guard saves it around foreign code, reports
// what changed, and restores it.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace grapnel::host {

class StandardStreams;

class ProcessStateGuard {
 public:
  enum class Extent {
    everything,
    of_a_hook,  // without the handlers of signals that mean nothing to a run
    of_a_run,  // and without the environment, to which libraries of the host add at their first use
  };
  // Takes the snapshot; some tens of microseconds, 20 of a hook. On the thread that runs the code.
  explicit ProcessStateGuard(Extent extent = Extent::everything);
  ~ProcessStateGuard();
  ProcessStateGuard(const ProcessStateGuard&) = delete;
  ProcessStateGuard& operator=(const ProcessStateGuard&) = delete;

  // The changes so far, each as part of a sentence: "the locale (C to de_DE.UTF-8)", "the handler
  // of SIGINT", "the blocked signals (SIGINT)", "the working directory (/a to /b)", "the umask (022
  // to 000)", "the environment variable OMP_NUM_THREADS".
  [[nodiscard]] std::vector<std::string> changes() const;
  // The same for the time until another guard took its snapshot; what only one of them has is left
  // out.
  [[nodiscard]] std::vector<std::string> changes_until(const ProcessStateGuard& later) const;
  // Restores everything and returns what had changed.
  std::vector<std::string> restore();

 private:
  struct State;
  std::vector<std::string> changes_to(const State& now) const;
  std::unique_ptr<State> state_;
  std::unique_ptr<StandardStreams> streams_;  // of a run
};

}  // namespace grapnel::host
