// The states of callbacks in checkpoints, by state key, each under its callback's failure policy.
//
// A callback that fails under OnError::disable is disabled; checkpoints keep the state that it
// saved or loaded last. A checkpoint may hold states of callbacks that are not there: those that
// ask for it ("keep_if_absent") are kept and written again.
#pragma once

#include <optional>
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

  // Before load(): asks callbacks for the states that they have now, in copies: of those that
  // `states` has one for, the ones that give it back (Callback::gives_back_state), and with all_give
  // the others too. Built-in callbacks are asked in any case, because their hooks of loading change
  // them as well.
  void note_present(const StateDict& states, bool all_give);
  // Loads what was noted again, if load() had given the callback another one. Who has none to go back
  // to, or doesn't take it, is told of in the log.
  void load_back() noexcept;
  void forget_present() { present_.clear(); }

 private:
  struct Present {
    Callback* callback;
    std::optional<StateDict> state;  // nothing: not asked for
    bool changed;                    // by loading
  };
  static void tell_kept(const Callback& callback, const std::string& reason);

  const std::vector<CallbackHandle>& callbacks_;
  Dispatcher& hooks_;
  std::vector<Present> present_;
  StateDict kept_before_;
  StateDict kept_;  // of absent callbacks
  // Of callbacks under OnError::disable: what was saved or loaded last without a failure.
  StateDict last_;
};

}  // namespace grapnel
