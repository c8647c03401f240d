// A temporary run inside a run, for tuners.
//
// While a Trial lives, the trainer's run is the trial's: a second Run with its own state, loops,
// dispatcher, metrics and requests, over the same module, data and optimizers. Everything of these
// that training changes is saved first: parameters and buffers, gradients, modes, the optimizers'
// groups and states, the schedulers, the data module's state, the random generators. The destructor
// restores all of it, also after an error, and the outer run continues as if nothing had happened.
// Nothing is written to disk. As in Lightning, which saves a checkpoint here and loads it after a
// search that succeeded, the module, the data module and the user's callbacks are asked for their
// state, hear the hooks of saving and loading, and get the state back. Built-in callbacks and
// plugins, which the trial doesn't touch, hear nothing.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "run/loops.h"
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

  // Back to the state of the outer run: its counters, metrics and limits.
  void rewind();

  // Of the outer run's kind.
  Loop& loop() { return inner_->loops->of(inner_->state.kind); }

 private:
  struct OptimizerMemory {
    std::vector<ParamGroup> groups;
    StateDict state;
  };
  void remember();
  void save_hooks();
  void put_back();
  void load_hooks();
  std::vector<CallbackHandle> listeners() const;

  Run& outer_;
  Run* inner_;
  std::unique_ptr<Run> outer_kept_;                           // while the trial is in its place
  std::vector<std::pair<at::Tensor, at::Tensor>> tensors_;    // live, and as they were
  std::vector<std::pair<at::Tensor, at::Tensor>> gradients_;  // parameter, and its gradient
  std::vector<std::pair<std::string, bool>> modes_;
  std::vector<OptimizerMemory> optimizers_;
  std::vector<StateDict> schedulers_;
  StateDict checkpoint_;  // what the hooks of saving were given
  int exceptions_;        // that were on their way when the trial began
  StateDict generators_;
};

}  // namespace grapnel
