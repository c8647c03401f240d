// The life of one plugin instance; all calls of its functions are made here.
//
//   create -> init -> hooks, save, load -> destroy (exactly once, also after failures)
#pragma once

#include <c10/util/FunctionRef.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/abi.h>
#include <grapnel/bridge/plugin_callback.h>
#include <grapnel/event_handlers.h>
#include <grapnel/ext/event.h>
#include <grapnel/ext/metrics_sink.h>
#include <grapnel/ext/state.h>
#include <grapnel/hook_mask.h>
#include <grapnel/state_dict.h>

#include "ext/event.h"
#include "ext/state_io.h"
#include "ext/trainer_state.h"
#include "forks.h"
#include "guard.h"
#include "instance_host.h"
#include "known_floating_point.h"

namespace grapnel::bridge {

class PluginInstance {
 public:
  using HookFunction = std::int32_t(GRAPNEL_CALL*)(grapnel_instance*, const grapnel_Event*);

  // Creates and initializes. PluginError when the plugin refuses or breaks the contract.
  // links_libtorch: the whole guard is needed around its calls (guard.h).
  PluginInstance(PluginSite site, Parameters parameters, const grapnel_factory& factory,
                 PluginCallback& owner, bool links_libtorch);
  ~PluginInstance();
  PluginInstance(const PluginInstance&) = delete;
  PluginInstance& operator=(const PluginInstance&) = delete;

  const HookMask& hooks() const noexcept { return mask_; }
  InstanceHost& host() noexcept { return host_; }

  // One hook. `event` starts with grapnel_Event. Throws PluginError when the plugin fails, or the
  // exception of a host's service that it passes on.
  void fire(const Call& call, const grapnel_Event* event);
  // The same for one that recurs with every batch, made for speed.
  template <Hook hook>
  [[gnu::always_inline]] inline void fire_recurring(const Call& call, const grapnel_Event* event) {
    Slot& slot = slots_[static_cast<std::size_t>(hook)];
    if (is_quick(call, slot)) [[likely]] {
      fire_quickly(call, slot, event);
    } else {
      fire(call, event);
    }
  }

  // A function of an extension that the plugin implements, while no hook runs; throws as fire() does.
  // name: "metrics_sink.write".
  void call_extension(const char* name, Trainer& trainer,
                      c10::function_ref<std::int32_t(grapnel_instance*)> function);
  // The plugin's metrics sink; nullptr: none.
  const grapnel_metrics_sink* metrics_sink() const noexcept { return sink_; }

  // Of the hooks that were called.
  std::vector<PluginCallback::HookTime> hook_times() const;

  // The run failed: names the plugin where what it wrote to the model or put into the batch may be the
  // cause.
  void tell_of_part(const ExceptionEvent& event);

  // The plugin's handlers of user-defined events. Call once.
  std::vector<EventHandler> event_handlers();

  // The instance's own key; nullopt: none.
  std::optional<std::string> own_state_key();
  // Ends the leases it has taken; its hooks won't be called to do that.
  void end_leases() noexcept;
  // Takes what it shows on the terminal away, and its pins on checkpoints.
  void end_display() noexcept;

  // {"version", "keep_if_absent", "state"}; empty: no state. An instance without the state
  // extension returns the state that it was given last.
  StateDict checkpoint_state();
  // CheckpointError, naming both versions, when the plugin refuses it.
  void load_checkpoint_state(const StateDict& state);

 private:
  using Function = c10::function_ref<std::int32_t()>;

  // "plugin 'x' 1.0.0: callback 'y'"
  std::string name() const;
  // One of the functions, with the time that it takes: of those that recur some calls are timed, and
  // stand for those since the one before.
  struct Slot {
    HookFunction function = nullptr;  // of a hook
    std::uint32_t until_look = 1;     // calls; the next one that is looked at is among them
    std::uint32_t period = 1;         // what until_look began with
    std::uint64_t calls = 0;          // until the last look
    double seconds = 0;               // in these
    double last_look = 0;             // seconds of that call
  };
  // Calls the plugin inside the guards. Returns its status, or kThrew if an exception crossed the
  // ABI.
  std::int32_t enter(const Call& call, Slot& slot, Function function);
  std::int32_t enter(const Call& call, Function function) { return enter(call, other_, function); }
  // A recurring hook that has been looked at not long ago: only what -ffast-math changes is compared.
  [[gnu::always_inline]] inline bool is_quick(const Call& call, const Slot& slot) const noexcept;
  [[gnu::always_inline]] inline void fire_quickly(const Call& call, Slot& slot,
                                                  const grapnel_Event* event);
  enum class Look : std::uint8_t { quick, thread, process };  // each with what those before compare
  Look next_look(const Call& call, Slot& slot) noexcept;
  std::int32_t guard_thread(const Call& call, Look look, Function function);
  void read_floating_point(const Call& call);
  // After a call that changed it: puts it back, and tells.
  [[gnu::cold]] void restore_floating_point(const Call& call);
  // The call itself; the text of an exception is kept.
  template <class F>
  [[gnu::always_inline]] inline std::int32_t call_plugin(F&& function) noexcept;
  static constexpr std::int32_t kThrew = INT32_MIN;  // not a status that a plugin may return
  // After a call that returned `status`: throws as fire() does.
  [[gnu::always_inline]] void throw_failure(const Call& call, std::int32_t status) {
    const bool fine = status == GRAPNEL_OK && !host_.has_pending() && !host_.has_failure();
    if (!fine) [[unlikely]]
      throw_failure_of(call, status);
  }
  [[gnu::cold]] void throw_failure_of(const Call& call, std::int32_t status) {
    throw_if(failure_of(call, status));
  }
  static void throw_if(const std::exception_ptr& failure) {
    if (failure != nullptr) std::rethrow_exception(failure);
  }
  // The exception for a status; nullptr for success.
  std::exception_ptr failure_of(const Call& call, std::int32_t status);
  void report_changes(const Call& call, const std::vector<std::string>& changes);

  StateDict own_state();
  void load_service_state(const StateDict& state);
  std::string service_state_fault(const StateDict& state) const;
  void create(const grapnel_factory& factory);
  void init();
  void read_hooks();
  const void* own_extension(std::string_view id);
  void find_state_extension();
  void find_metrics_sink();
  void call_event(const DeclaredHandler& handler, CustomEvent& event,
                  const BoundArguments& arguments);
  // The failure of the first that failed; nullptr: none.
  std::exception_ptr run_posted(const Call& call);
  void drop_posted(grapnel_instance* instance) noexcept;
  void destroy() noexcept;
  [[noreturn]] void refuse(const Call& call, std::int32_t status);
  [[noreturn]] void refuse(const std::string& message);
  void refuse_reserved(std::string_view whose, std::uint32_t reserved);

  const bool links_libtorch_;
  InstanceHost host_;
  StateWriter writer_{host_};
  StateReader reader_{host_};
  grapnel_instance* instance_ = nullptr;
  std::array<Slot, kHookCount> slots_{};  // by hook
  Slot posted_;                           // functions that its threads have posted
  Slot sink_calls_;                       // of its metrics sink
  Slot other_;                            // all other functions
  HookMask mask_;
  const grapnel_state* state_ = nullptr;
  const grapnel_metrics_sink* sink_ = nullptr;
  bool guards_whole_thread_;  // always: it links LibTorch, or has changed the thread's modes
  std::chrono::steady_clock::time_point looked_at_process_;
  std::string thrown_;    // text of the exception that crossed the ABI
  StateDict kept_state_;  // without the state extension: for the next checkpoint
};

template <class F>
std::int32_t PluginInstance::call_plugin(F&& function) noexcept {
  std::int32_t status = kThrew;
  try {
    status = function();
  } catch (const std::exception& error) {
    thrown_ = error.what();
  } catch (...) {  // of another C++ runtime, or no std::exception: can't be inspected
    thrown_ = "an exception of a type unknown to the host";
  }
  if (is_forked_child()) [[unlikely]]
    end_forked_child();
  return status;
}

inline bool PluginInstance::is_quick(const Call& call, const Slot& slot) const noexcept {
  // A hook without a batch has a smaller number than any; so has the first of an epoch. Where the
  // plugin has no such hook, no call ever starts a count.
  return call.batch_idx >= host_.last_batch_idx() && slot.until_look > 1 && !guards_whole_thread_ &&
         host_.call() == nullptr && host_.posted.waiting() == 0 && known_floating_point.is_known;
}

inline void PluginInstance::fire_quickly(const Call& call, Slot& slot, const grapnel_Event* event) {
  --slot.until_look;
  std::int32_t status = GRAPNEL_OK;
  {
    const InstanceHost::LoneCallScope scope(host_, call);
    if (host_.trainer_state_wanted) update_trainer_state(host_);
    status = call_plugin([&]() __attribute__((always_inline)) {
      return slot.function(instance_, event);
    });
    if (!known_floating_point.fast.is_still_fast()) [[unlikely]]
      restore_floating_point(call);
  }
  throw_failure(call, status);
}

}  // namespace grapnel::bridge
