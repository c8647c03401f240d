// Calls the callbacks: the one place that decides who is called and what a failure does.
//
// Three kinds of call share the same rules:
//
//   dispatcher.on_train_batch_end(event)   a hook: every callback that wants it, then the module
//   dispatcher.call_named(i, "on_x", ...)  one callback, for a loop that calls by name (Fabric)
//   dispatcher.call_for_state(cb, ...)     one callback, for calls that are not hooks
//
// A hook has a dense array of the callbacks that want it, so a callback that doesn't costs nothing.
// Order within a hook: the list's, except that on_train_epoch_end reaches callbacks that monitor a
// metric after the module, so that they see what it logged.
//
// Before a call: a disabled callback is skipped; a filter may hold the call back (not for state).
// After a failed call: CallbackHandle::on_error decides. `fail` lets the exception through, except
// in hooks of a run's end (on_exception, on_signal, on_run_end), which reach every callback: there
// it is logged. `disable` logs it once and skips the callback from then on. Interrupted always
// passes.
//
// Of the hooks that a resumed run may begin with the dispatcher knows who has had the call:
// a checkpoint written in one of them, or because it failed, keeps that, and the resumed run calls the
// others alone. A call that failed is made again.
//
// Calls are counted per callback and hook. The first and then every 256th is timed; all of them
// while a profiler is set.
#pragma once

#include <c10/util/FunctionRef.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grapnel/base/clock.h"
#include "grapnel/callback.h"
#include "grapnel/export.h"
#include "grapnel/hook_mask.h"
#include "grapnel/module.h"
#include "grapnel/profile.h"
#include "grapnel/state_dict.h"

namespace grapnel {

class Profiler;

class GRAPNEL_CORE_API Dispatcher {
 public:
  // A callback's place in one hook.
  struct Receiver {
    Callback* callback;
    uint32_t index;  // in the list of callbacks
    // Calls until the next one is looked at: timed, filtered or skipped. The others only count
    // down.
    uint32_t countdown = 1;
    uint32_t period = 1;       // what countdown started from
    bool look_always = false;  // filtered in this hook, or disabled
    uint64_t settled = 0;      // calls before this period
    uint64_t timed = 0;        // calls that were timed
    double seconds = 0;        // in these

    // Since assign or reset_counts.
    uint64_t calls() const { return settled + (period - countdown); }
    // Of all calls, extrapolated from those that were timed.
    double estimated_seconds() const {
      return timed == 0 ? 0.0 : seconds * static_cast<double>(calls()) / static_cast<double>(timed);
    }
  };

  Dispatcher();
  ~Dispatcher();

  // Rebuilds the arrays. The callbacks must outlive the next assign. Not while a hook is running.
  void assign(const std::vector<CallbackHandle>& callbacks);
  // nullptr: no module takes part.
  void set_module(Module* module, const ModuleMask& mask);

  // Fire a hook.
#define GRAPNEL_HOOK(id, name, EventType, stage, module) void name(EventType& event);
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK

  // One call of the callback with this index in the list. hook: when the name is a hook's. For a
  // user-defined event, a filter's steps are the calls of that event.
  void call_named(uint32_t index, std::string_view name, std::optional<Hook> hook,
                  c10::function_ref<void()> call);
  // The same for a module.
  void call_module_named(std::string_view name, std::optional<Hook> hook,
                         c10::function_ref<void()> call);
  // A call that is not a hook, such as state_dict. False if the callback is disabled, by an earlier
  // failure or by this one.
  bool call_for_state(const Callback& callback, std::string_view name,
                      c10::function_ref<void()> call);

  // The callbacks that a hook reaches, in order, disabled ones included; without the module.
  const std::vector<Receiver>& receivers(Hook hook) const {
    return receivers_[static_cast<size_t>(hook)];
  }

  // The label of a callback by its index: its name, else its type; "#2" is added to the second of
  // one label.
  const std::string& label(uint32_t index) const;
  // Where the run is, for filters. The loops keep it up to date.
  CallPosition position;
  // Who has had the call of a hook that is running, has failed or was not finished before a resume,
  // and which callbacks have it still to come:
  // {"callbacks": [label...], "left": [label...], "module": bool}.
  StateDict called_in(Hook hook) const;
  // The next time the hook fires it reaches those alone that have not had it; a callback that is in
  // neither list is new in this run, and has no call left to make.
  void resume_hook(Hook hook, const StateDict& called);
  // Whether it would reach anyone then.
  bool hook_has_rest(Hook hook) const;
  void forget_unfinished_hook();
  // The last time of each filter `every` in steps, by label; for checkpoints. nullptr: one that
  // doesn't have them.
  StateDict filter_times() const;
  void set_filter_times(const StateDict* labels);
  // The hooks and events that the filter `once` has let through, by label; for checkpoints.
  StateDict called_once() const;
  void set_called_once(const StateDict& labels);
  // ConfigError when a filter counts from an end that is unknown.
  void check_filters() const;

  // Whether a callback failed under OnError::disable and is skipped.
  bool disabled(const Callback* callback) const;

  // Where time comes from; it must outlive the dispatcher.
  void set_clock(const Clock& clock) {
    clock_ = &clock;
  }
  void set_profiler(Profiler* profiler);
  void reset_counts();
  // Counts and estimated time of what was called, a row per callback and hook or event.
  std::vector<ProfileRow> counts() const;

  // The function that is running now, "on_train_start" or "training_step"; empty between hooks. It
  // decides what log() may do.
  std::string_view running() const {
    return *running_;
  }
  // The author of what happens now: the running callback's name or type, "module" in its hooks and
  // steps, else "user".
  std::string author() const;
  // The callback that is running; nullptr when none is.
  const Callback* current() const {
    return current_;
  }

  // Marks a function of the module as running, for a scope.
  class ModuleScope {
   public:
    ModuleScope(Dispatcher& dispatcher, std::string_view name)
        : dispatcher_(dispatcher),
          name_(name),
          outer_(dispatcher.running_),
          callback_(dispatcher.current_) {
      dispatcher_.running_ = &name_;
      dispatcher_.current_ = nullptr;
    }
    ~ModuleScope() {
      dispatcher_.running_ = outer_;
      dispatcher_.current_ = callback_;
    }
    ModuleScope(const ModuleScope&) = delete;
    ModuleScope& operator=(const ModuleScope&) = delete;

   private:
    Dispatcher& dispatcher_;
    std::string_view name_;
    const std::string_view* outer_;
    Callback* callback_;
  };

 private:
  struct Participant;
  struct EventReceiver;

  template <Hook H, class EventType>
  void fire_all(EventType& event);
  template <Hook H, class EventType>
  void fire(EventType& event, Receiver* begin, Receiver* end);
  template <Hook H, class EventType>
  void fire_module(EventType& event);
  template <Hook H, class EventType>
  void fire_rest(EventType& event);
  bool has_had(const Receiver& receiver) const;
  template <Hook H, class EventType>
  void look_and_call(Receiver& receiver, EventType& event);

  template <class F>
  void timed_call(Receiver& receiver, std::string_view name, F&& call);
  // Counts a call that is looked at. True: time it.
  bool count(Receiver& receiver);
  bool held_back(Participant& participant, Hook hook);
  bool comes_at_step(Participant& participant, Hook hook);
  bool held_back(Participant& participant, EventReceiver& receiver, std::string_view event);
  // Call within a catch block: rethrows, logs or disables.
  void settle_failure(uint32_t index, std::string_view where, bool at_end);
  void disable(uint32_t index, std::string_view where);
  std::optional<uint32_t> index_of(const Callback* callback) const;

  std::array<std::vector<Receiver>, kHookCount> receivers_;
  std::map<std::string, std::vector<EventReceiver>, std::less<>> named_;  // by name, then index
  std::vector<Participant> participants_;                                 // by index
  const Clock* clock_ = &system_clock();
  Profiler* profiler_ = nullptr;
  // The resumable hook that runs or has failed, and the call that was made last.
  std::optional<Hook> open_hook_;
  const Receiver* open_at_ = nullptr;  // nullptr: none yet; &module_call_: the module's
  bool open_failed_ = false;
  Receiver module_call_{};
  // The hook that was not finished before a resume, and who has had it.
  std::optional<Hook> unfinished_hook_;
  std::vector<std::string> had_;
  bool module_had_ = false;
  // Receivers of on_train_epoch_end before this index come before the module.
  size_t epoch_end_monitors_ = 0;
  Module* module_ = nullptr;
  HookMask module_hooks_;
  const std::string_view* running_;
  Callback* current_ = nullptr;
};

}  // namespace grapnel
