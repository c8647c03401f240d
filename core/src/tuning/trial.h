// A run inside a run, to try something out: what a tuner does.
//
// While it stands, the trainer runs the trial: a Run of its own, with its own state, loops,
// dispatcher, metrics and requests, over the same module, data and optimizers. Of these everything
// that training changes is remembered: parameters and buffers, gradients, modes, the optimizers'
// groups and states, the schedulers, the data module's state, the random generators. Its end puts
// all of it back, whatever happened, and the trainer goes on as if the trial had never been. Nothing
// is written to disk.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "run/run.h"

namespace grapnel {

class Trial {
 public:
  // callbacks: the only ones that the trial has.
  Trial(Run& outer, std::vector<CallbackHandle> callbacks);
  ~Trial();
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  Run& run() { return *inner_; }

  // From where the outer run stands: counters, metrics and limits as they were.
  void rewind();

  // Runs the loop of the outer run's kind.
  void execute();

 private:
  struct OptimizerMemory {
    std::vector<ParamGroup> groups;
    StateDict state;
  };
  void remember();
  void put_back();

  Run& outer_;
  Run* inner_;
  std::unique_ptr<Run> outer_kept_;                           // while the trial stands in its place
  std::vector<std::pair<at::Tensor, at::Tensor>> tensors_;    // live, and as they were
  std::vector<std::pair<at::Tensor, at::Tensor>> gradients_;  // parameter, and its gradient
  std::vector<std::pair<std::string, bool>> modes_;
  std::vector<OptimizerMemory> optimizers_;
  std::vector<StateDict> schedulers_;
  StateDict data_;
  StateDict generators_;
};

}  // namespace grapnel
