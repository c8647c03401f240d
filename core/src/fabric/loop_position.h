// Where a loop of the user's own is, learned from the standard hooks it calls by name: the stage
// and counters that callbacks see, and the position that filters count by.
//
// A filter's steps are training batches: on_train_batch_start begins one, or on_train_batch_end
// where the loop doesn't call the start. Its epochs begin with on_train_epoch_start, whose argument
// `epoch` (from 0) may number them.
#pragma once

#include "grapnel/call_filter.h"
#include "grapnel/event_arguments.h"
#include "grapnel/hook_mask.h"
#include "grapnel/run_state.h"

namespace grapnel {

// The batches of the running stage.
Progress& batches_of(RunState& state);

class LoopPosition {
 public:
  // Updates both, which must outlive it.
  LoopPosition(RunState& state, CallPosition& position) : state_(state), position_(position) {}

  // Call before and after each call of a standard hook.
  void enter(Hook hook, const EventArguments& arguments);
  void leave(Hook hook);

 private:
  void begin_epoch(const EventArguments& arguments);
  void count_batch(bool starts, const EventArguments& arguments);

  RunState& state_;
  CallPosition& position_;
  bool epoch_open_ = false;
  bool batch_open_ = false;    // of training
  int64_t train_batches_ = 0;  // that began, over all epochs
};

}  // namespace grapnel
