// Calls hooks: one dense array per hook with only the callbacks that want it, so that what is not
// there costs nothing; then the module, where it overrides the hook.
//
// The order within a hook is the order of the list, with one exception: on_train_epoch_end reaches
// callbacks that monitor a metric after the module, so that they see what it logged.
//
// Every call is counted; one in 256 of each callback and hook, the first among them, is timed (all of
// them while a profiler is set).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "grapnel/base/clock.h"
#include "grapnel/callback.h"
#include "grapnel/export.h"
#include "grapnel/hook_mask.h"
#include "grapnel/module.h"
#include "grapnel/state_dict.h"

namespace grapnel {

class Profiler;
struct FilteredCalls;

class GRAPNEL_CORE_API Dispatcher {
 public:
  struct Receiver {
    Callback* callback;
    uint32_t index;                     // in the list of callbacks
    uint64_t calls = 0;                 // since assign or reset_counts
    uint64_t timed = 0;                 // calls that were timed
    double seconds = 0;                 // in these
    FilteredCalls* filtered = nullptr;  // what may hold a call back
    // Of all calls, as far as those that were timed tell.
    double estimated_seconds() const {
      return timed == 0 ? 0.0 : seconds * static_cast<double>(calls) / static_cast<double>(timed);
    }
  };

  Dispatcher();
  ~Dispatcher();

  // Builds the arrays anew. The callbacks must outlive the next assign.
  void assign(const std::vector<CallbackHandle>& callbacks);
  // nullptr: no module takes part.
  void set_module(Module* module, const ModuleMask& mask);

  // Fire a hook: callbacks, then the module if it has it. What a callback throws passes through.
#define GRAPNEL_HOOK(id, name, EventType, stage, module) void name(EventType& event);
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK

  // Whom a hook reaches, in order; the module not included.
  const std::vector<Receiver>& receivers(Hook hook) const {
    return receivers_[static_cast<size_t>(hook)];
  }
  bool anyone(Hook hook) const;

  // The label of a callback by its index: its name, else its type; "#2" is added to the second of one
  // label.
  const std::string& label(uint32_t index) const {
    return labels_[index];
  }
  // Where the run is; for filters. The loops keep it up to date.
  CallPosition position;
  // Hooks that came already to callbacks with the filter `once`, by label; for checkpoints.
  StateDict called_once() const;
  void set_called_once(const StateDict& labels);
  // ConfigError when a filter counts from an end that this run doesn't know.
  void check_filters() const;

  // Whether a callback failed under OnError::disable, and gets no hooks any more.
  bool disabled(const Callback* callback) const;
  // Takes a callback out of all hooks, saying so in the log; for failures outside of hooks.
  void disable(const Callback* callback, std::string_view where);

  // Where time comes from; it must outlive the dispatcher.
  void set_clock(const Clock& clock) {
    clock_ = &clock;
  }
  void set_profiler(Profiler* profiler);
  void reset_counts();

  // The function that is running now, "on_train_start" or "training_step"; empty between hooks. It
  // decides what log() may do.
  std::string_view running() const {
    return running_;
  }
  // Who is running: the callback's label, "module" within its hooks and steps, else "user".
  std::string author() const;
  // The callback that is running; nullptr when none is.
  const Callback* current() const {
    return current_;
  }

  // Marks a function of the module as running, for a scope.
  class ModuleScope {
   public:
    ModuleScope(Dispatcher& dispatcher, std::string_view name)
        : dispatcher_(dispatcher), name_(dispatcher.running_), callback_(dispatcher.current_) {
      dispatcher_.running_ = name;
      dispatcher_.current_ = nullptr;
    }
    ~ModuleScope() {
      dispatcher_.running_ = name_;
      dispatcher_.current_ = callback_;
    }
    ModuleScope(const ModuleScope&) = delete;
    ModuleScope& operator=(const ModuleScope&) = delete;

   private:
    Dispatcher& dispatcher_;
    std::string_view name_;
    Callback* callback_;
  };

  // Marks a callback as running, for calls that are not hooks (state_dict, load_state_dict).
  class CallbackScope {
   public:
    CallbackScope(Dispatcher& dispatcher, std::string_view name, Callback* callback)
        : scope_(dispatcher, name) {
      dispatcher.current_ = callback;
    }

   private:
    ModuleScope scope_;
  };

 private:
  template <Hook H, class EventType>
  void fire(EventType& event, size_t begin, size_t end);

  template <Hook H, class EventType>
  void call(Receiver& receiver, EventType& event);
  template <Hook H, class EventType>
  void call_timed(Receiver& receiver, EventType& event);
  void settle_failure(const Receiver& receiver, std::string_view hook);
  void disable(uint32_t index, std::string_view where);

  std::array<std::vector<Receiver>, kHookCount> receivers_;
  std::vector<const Callback*> order_;
  std::vector<std::string> labels_;
  std::vector<OnError> on_error_;
  std::vector<std::unique_ptr<FilteredCalls>> filtered_;  // by index; nullptr: no filter
  std::vector<bool> disabled_;
  const Clock* clock_ = &system_clock();
  Profiler* profiler_ = nullptr;
  uint64_t sample_mask_ = 255;  // a call is timed when its number has none of these bits
  // Receivers of on_train_epoch_end before this index come before the module.
  size_t epoch_end_monitors_ = 0;
  Module* module_ = nullptr;
  HookMask module_hooks_;
  std::string_view running_;
  Callback* current_ = nullptr;
};

}  // namespace grapnel
