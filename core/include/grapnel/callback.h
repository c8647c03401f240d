// The base class of everything that hooks into a training, and the order of its hooks in the loop.
//
// Trainer::fit calls, in this order ("cb": every callback in list order, "module": the Module; a
// hook without a prefix is called on the callbacks first and then on the module):
//
//   fit:
//     module.configure_callbacks
//     data.prepare_data
//     data.setup, setup(fit)
//     module.configure_model
//     [resuming: on_load_checkpoint: module, weights, cb, then load_state_dict of each callback]
//     module.configure_optimizers
//     on_fit_start
//     [sanity check: cb.on_sanity_check_start; validation on a few batches; cb.on_sanity_check_end]
//     on_train_start
//     for each epoch:
//       on_train_epoch_start
//       for each batch:
//         on_train_batch_start
//         module.optimizer_step:
//           module.training_step
//           on_before_zero_grad                    first micro-batch of an accumulation window
//           module.optimizer_zero_grad
//           on_before_backward
//           module.backward
//           on_after_backward
//           on_before_optimizer_step               last micro-batch of the window
//           module.configure_gradient_clipping
//           (the optimizer updates the parameters)
//         on_after_optimizer_step
//         on_train_batch_end
//         [validation, when it is due:
//           module.on_validation_model_zero_grad
//           module.on_validation_model_eval
//           on_validation_start
//           on_validation_epoch_start
//           for each batch of each loader:
//             on_validation_batch_start
//             module.validation_step
//             on_validation_batch_end
//           on_validation_epoch_end
//           on_validation_end
//           module.on_validation_model_train]
//       on_train_epoch_end                         callbacks, module, then EarlyStopping, checkpoints
//     on_train_end
//     on_fit_end
//     data.teardown, teardown(fit)
//     on_run_end(outcome)
//
// validate and test run the same validation, with on_test_... for test; predict has on_predict_...
// and predict_step instead. on_save_checkpoint is called whenever a checkpoint is gathered
// (state_dict of each callback, cb.on_save_checkpoint, module.on_save_checkpoint),
// on_checkpoint_written after its file is complete.
//
// Ways to end, and the hooks that are still called:
//
//   way                     on_train_end  on_fit_end  on_signal  on_exception  teardown  on_run_end
//   all epochs or steps     yes           yes                                  yes       finished
//   stop request            yes           yes                                  yes       stopped
//   SIGINT, SIGTERM                                   yes        yes                     interrupted
//   exception anywhere                                           yes                     failed
//
// Leases (swapped weights and the like) are undone, last first, before on_exception and on_run_end.
#pragma once

#include <memory>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include "grapnel/call_filter.h"
#include "grapnel/events.h"
#include "grapnel/export.h"
#include "grapnel/hook_mask.h"
#include "grapnel/log_options.h"
#include "grapnel/state_dict.h"

namespace grapnel {

// Derive, override what you need with `override`, and give the Trainer a shared_ptr of your own
// type. A hook that is not overridden is never called and costs nothing.
class GRAPNEL_CORE_API Callback {
 public:
  virtual ~Callback();

#define GRAPNEL_HOOK(id, name, EventType, stage, module) \
  virtual void name(EventType&) {}
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK

  // "EarlyStopping", ...: for messages, traces and checkpoints.
  virtual std::string type_name() const;

  // Identifies this callback's state in checkpoints. Two callbacks with state must not share one.
  // Default: the explicit name if set_name was called, else type_name.
  virtual std::string state_key() const;
  // Earlier keys, the latest first; used when a checkpoint has no state under state_key.
  virtual std::vector<std::string> former_state_keys() const;

  // The state to save in checkpoints; empty: none. load_state_dict restores it, or throws
  // CheckpointError and changes nothing when the state is not what it expects.
  virtual StateDict state_dict() const;
  virtual void load_state_dict(const StateDict& state);

  // Whether the trainer asks for the state before it loads one, so that it can load that again, empty
  // or not, when something else refuses the checkpoint. Lightning calls state_dict for checkpoints
  // alone, hence the default; but a trainer that has trained before, where there is something to
  // lose, always asks. What keeps a refused checkpoint's state is named in the log.
  virtual bool gives_back_state() const {
    return false;
  }

  // Called before the weights of a checkpoint are copied into the model, to give its parameters
  // the masks of the checkpoint.
  virtual void before_weights_loaded(LoadCheckpoint& event);

  // Its on_save_checkpoint changes the model's weights in the checkpoint (averages, masks), so it
  // is called for weights-only files too.
  virtual bool edits_weights() const {
    return false;
  }

  // Monitors a metric: its on_train_epoch_end is called after the module's, whose metrics it needs
  // (EarlyStopping, Checkpoint).
  virtual bool monitors() const {
    return false;
  }

  // Its position in the order of callbacks: tuners first, checkpoints last.
  enum class Place { tuner, ordinary, checkpoint };
  virtual Place place() const {
    return Place::ordinary;
  }

  // Ends the run on its own, so that no default limit on epochs is needed (Timer).
  virtual bool bounds_run() const {
    return false;
  }

  // What this callback multiplies the learning rate of an optimizer's group by, at every step while
  // it is not disabled: finite and at least 0. The factors of all callbacks are multiplied, on top of
  // what schedulers make of the rate, and no scheduler sees them. Asked for after
  // on_before_optimizer_step, and by Trainer::learning_rate.
  virtual double learning_rate_factor(size_t /*optimizer_idx*/, size_t /*group*/) const {
    return 1.0;
  }

  // Draws progress bars, so that a tuner may draw one too.
  virtual bool shows_progress() const {
    return false;
  }

  // The hooks that this instance wants, a subset of those that its class overrides.
  virtual HookMask wanted(const HookMask& overridden) const {
    return overridden;
  }

  // Called once, after the callback failed under OnError::disable: no hook will be called again, so
  // end here what a later hook would have ended (leases). What it throws is logged.
  virtual void on_disabled() {}

  // Distinguishes two callbacks of one class, whose state keys would be equal.
  void set_name(std::string name) {
    name_ = std::move(name);
  }
  const std::string& name() const {
    return name_;
  }

 protected:
  // Logs a metric from within a hook, under the trainer's rules for that hook.
  void log(Event& event, const std::string& name, const LogValue& value,
           const LogOptions& options = {});

 private:
  std::string name_;
};

// Which hooks of Callback does T override?
template <class T>
constexpr HookMask overridden_hooks() {
  HookMask mask;
#define GRAPNEL_HOOK(id, hook, EventType, stage, module) \
  mask.set(Hook::hook, GRAPNEL_OVERRIDES(T, Callback, hook));
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
  return mask;
}

// What happens when a callback throws.
enum class OnError {
  fail,     // the run fails with the exception
  disable,  // the exception is logged once; the run continues without the callback
};

// The source of a callback; decides its position in the order (see Trainer::callbacks).
enum class CallbackOrigin { user, trainer_default, plugin, module };

[[noreturn]] GRAPNEL_CORE_API void refuse_null_callback();
[[noreturn]] GRAPNEL_CORE_API void refuse_base_pointer(const Callback& callback);

// A callback together with the mask of its class. Converts from a shared_ptr of the callback's own
// type; a pointer to a base class is refused with ConfigError, because the mask would be wrong.
struct CallbackHandle {
  template <class T>
  CallbackHandle(std::shared_ptr<T> pointer, CallbackOrigin from = CallbackOrigin::user,
                 std::string where = "")
      : callback(pointer),
        overridden(overridden_hooks<T>()),
        has_state(GRAPNEL_OVERRIDES(T, Callback, state_dict)),
        is_base_of([](const Callback& other) { return dynamic_cast<const T*>(&other) != nullptr; }),
        origin(from),
        source(std::move(where)) {
    if (pointer == nullptr) refuse_null_callback();
    if (typeid(*pointer) != typeid(T)) refuse_base_pointer(*pointer);
  }

  std::shared_ptr<Callback> callback;
  HookMask overridden;
  bool has_state;  // its class overrides state_dict
  // Is another callback of this one's class, or of one derived from it?
  bool (*is_base_of)(const Callback& other);
  CallbackOrigin origin;
  std::string source;  // of a plugin: "ema 1.0.0 (/path/ema.so)"
  // Under `disable`, checkpoints keep the last state that was saved or loaded without a failure.
  OnError on_error = OnError::fail;
  std::optional<CallFilter> filter = {};

  // The same callback, called only where the filter says; ConfigError for a count below 1.
  GRAPNEL_CORE_API CallbackHandle only(const CallFilter& where) const;
};

}  // namespace grapnel
