// The states of callbacks in checkpoints, by state key, each under its callback's failure policy.
//
// A callback that fails under OnError::disable is disabled; checkpoints keep the state that it
// saved or loaded last. A checkpoint may hold states of callbacks that are not there: those that
// ask for it ("keep_if_absent") are kept and written again.
#pragma once

#include <vector>

#include "grapnel/callback.h"
#include "grapnel/dispatcher.h"
#include "grapnel/state_dict.h"

namespace grapnel {

class CallbackStates {
 public:
  // Both must outlive it.
  CallbackStates(const std::vector<CallbackHandle>& callbacks, Dispatcher& hooks)
      : callbacks_(callbacks), hooks_(hooks) {}

  StateDict save();
  void load(const StateDict& states);
  // Keeps states of absent callbacks that ask for it, and names the others in the log.
  void sort_out_absent(const StateDict& states);
  // The states that built-in callbacks have now, in copies.
  StateDict of_built_in() const;

 private:
  const std::vector<CallbackHandle>& callbacks_;
  Dispatcher& hooks_;
  StateDict kept_;  // of absent callbacks
  // Of callbacks under OnError::disable: what was saved or loaded last without a failure.
  StateDict last_;
};

}  // namespace grapnel
