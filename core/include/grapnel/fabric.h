// Fabric: a loop of your own, with the callbacks, loggers, device and checkpoints of the Trainer.
//
//   Fabric fabric({.callbacks = {std::make_shared<IterationTimer>()}, .seed = 1});
//   Net net;
//   auto optimizer = fabric.setup(net, std::make_shared<SGD>(net.parameters()));
//   auto batches = fabric.setup_dataloader(loader);
//   for (int64_t epoch = 0; epoch < 5 && !fabric.should_stop(); ++epoch) {
//     for (Batch& batch : batches) {
//       optimizer.zero_grad();
//       at::Tensor loss = net.loss(batch);
//       fabric.backward(loss);
//       optimizer.step();
//       fabric.call("on_train_batch_end", arg("loss", loss), arg("batch", std::ref(batch)));
//     }
//   }
//
// call() calls, in list order, the callbacks that have a handler of the name (event_handlers.h) or
// override the standard hook of the name; then the modules. A name that none of them has is
// ignored. Fabric itself calls on_after_setup after setup, with `module`, and
// on_after_optimizer_step after each step, with `optimizer` and `optimizer_idx`.
//
// The event of a standard hook is made of the arguments named like its fields (events.h). All are
// optional except on_before_backward's:
//
//   setup, teardown           stage ("fit")
//   on_..._batch_start        batch, batch_idx, dataloader_idx
//   on_..._batch_end          outputs, batch, batch_idx, dataloader_idx; or loss instead of outputs
//   optimizer hooks           optimizer_idx
//   on_before_backward        loss
//   on_exception              message, type
//   on_save/load_checkpoint   checkpoint, weights_only (saving: false)
//   on_checkpoint_written     path
//   on_signal                 signal
//   on_run_end                outcome ("finished"), reason
//
// batch, outputs and checkpoint are passed by std::ref. batch_idx defaults to the number of batches
// since the epoch started. on_train_epoch_start takes `epoch` (from 0); by default its calls count.
//
// CallbackHandle::on_error and filter work as in a Trainer, and profile() counts all calls. What a
// callback throws in on_exception, on_signal or on_run_end is logged. A filter counts:
//
//   steps    training batches of this Fabric: each on_train_batch_start, or each on_train_batch_end
//            if the loop doesn't call the start; for a user-defined event, its calls
//   epochs   calls of on_train_epoch_start, or its `epoch`; ConfigError before the first
//   last     ConfigError when the Fabric is made: the end of the loop is unknown
//
// Filters don't apply to on_after_setup. save() does not store their counts.
//
// What hooks log goes straight to the loggers, at the current global_step, and to callback_metrics.
// Query their requests with should_stop and take_request.
//
// Not thread-safe. A module must live as long as the Fabric is called.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "grapnel/callback.h"
#include "grapnel/event_handlers.h"
#include "grapnel/export.h"
#include "grapnel/fabric_parts.h"
#include "grapnel/logger.h"
#include "grapnel/profile.h"
#include "grapnel/trainer.h"

namespace grapnel {

// A Callback, an object with handlers, or both in one. Converts from a shared_ptr of the object's
// own type, and from a handle (of a plugin, with a filter).
struct GRAPNEL_CORE_API FabricCallback {
  template <class T>
  requires std::derived_from<T, Callback> FabricCallback(std::shared_ptr<T> object)
      : FabricCallback(CallbackHandle(std::move(object))) {}
  template <class T>
  requires(std::derived_from<T, EventHandlers> && !std::derived_from<T, Callback>)
      FabricCallback(std::shared_ptr<T> object)
      : FabricCallback(std::shared_ptr<EventHandlers>(std::move(object))) {}
  FabricCallback(std::shared_ptr<EventHandlers> object);
  FabricCallback(CallbackHandle handle);

  CallbackHandle callback;                  // its on_error and filter hold for handlers too
  std::shared_ptr<EventHandlers> handlers;  // may be null
};

struct FabricOptions {
  std::vector<FabricCallback> callbacks = {};
  std::vector<std::shared_ptr<Logger>> loggers = {};
  std::string device = "cpu";                   // "cpu", "cuda", "cuda:1"
  std::filesystem::path default_root_dir = {};  // empty: the working directory
  std::optional<uint64_t> seed = {};            // of LibTorch's generators, set when it is made
  const Clock* clock = nullptr;                 // of callbacks; nullptr: the system's
};

class GRAPNEL_CORE_API Fabric {
 public:
  // ConfigError for options that aren't acceptable, two callbacks whose states have one key, or the
  // filter `last`, which needs an end that Fabric doesn't know.
  explicit Fabric(FabricOptions options = {});
  // Ends the loggers.
  ~Fabric();
  Fabric(const Fabric&) = delete;
  Fabric& operator=(const Fabric&) = delete;

  // ---- Setting up
  // Moves the module to the device. Its own handlers and standard hooks are called after the
  // callbacks'. Returns the optimizer to step with: void for none, a tuple for several.
  // ConfigError when a module or an optimizer is set up twice, or an optimizer has parameters of
  // another module.
  template <class M, class... O>
  auto setup(M& module, std::shared_ptr<O>... optimizers) {
    EventHandlers* handlers = nullptr;
    if constexpr (std::derived_from<M, EventHandlers>) handlers = &module;
    const std::vector<std::shared_ptr<Optimizer>> all{optimizers...};
    const size_t first = add_module(ModuleRef(module), handlers, all);
    call("on_after_setup", arg("module", std::ref(module)));
    if constexpr (sizeof...(O) == 1) {
      return optimizer(first);
    } else if constexpr (sizeof...(O) > 1) {
      return optimizers_from(first, std::index_sequence_for<O...>());
    }
  }
  // Batches of the loader, on the device.
  FabricDataLoader setup_dataloader(std::shared_ptr<DataLoader> loader) const;

  // ---- In the loop
  // Computes the gradients of a scalar loss. ConfigError when it has no gradient graph.
  void backward(const at::Tensor& loss);
  // Clips the gradients of the optimizer's parameters, by their total norm or each by value.
  void clip_gradients(const FabricOptimizer& optimizer, double clip_val,
                      ClipAlgorithm algorithm = ClipAlgorithm::norm);

  // Arguments by position, or by name with arg("name", value).
  template <class... Arguments>
  void call(std::string_view name, Arguments&&... arguments) {
    call_with(name, make_arguments(std::forward<Arguments>(arguments)...));
  }
  void call_with(std::string_view name, const EventArguments& arguments);

  // To every logger. step: by default the last logged step plus one, from 0.
  void log(const std::string& name, const LogValue& value, std::optional<int64_t> step = {});
  void log_dict(const std::vector<std::pair<std::string, LogValue>>& values,
                std::optional<int64_t> step = {});

  // ---- Checkpoints, in the container of the Trainer's
  // Writes the items and the states of all callbacks in one atomic step.
  void save(const std::filesystem::path& path, const FabricState& state);
  // Restores the items of these names and the states of the callbacks; returns the plain values of
  // the file. All or nothing: CheckpointError, with everything as before, when one can't be
  // restored. An item that the file lacks is an error too, unless strict is false.
  StateDict load(const std::filesystem::path& path, const FabricState& state = {},
                 bool strict = true);

  // ---- State of the loop
  int64_t global_step() const;  // steps of the optimizers that setup returned
  // A hook requested a stop; check after each call, or once per batch.
  bool should_stop() const;
  // Whether a hook requested it since the last call; the request is logged.
  bool take_request(RequestKind kind);
  const MetricDict& callback_metrics() const;
  const at::Device& device() const;
  const std::vector<std::shared_ptr<Logger>>& loggers() const;
  // Calls and time of each callback and event so far.
  Profile profile() const;
  // What callbacks see as event.trainer: its state, parts and metrics are this loop's. Its fit,
  // validate, test and predict throw ConfigError.
  Trainer& trainer() const;

  // Sets LibTorch's default generators and returns the seed.
  static uint64_t seed_everything(uint64_t seed);

 private:
  friend class FabricOptimizer;
  struct Impl;

  size_t add_module(const ModuleRef& module, EventHandlers* handlers,
                    const std::vector<std::shared_ptr<Optimizer>>& optimizers);
  FabricOptimizer optimizer(size_t index);
  template <size_t... I>
  auto optimizers_from(size_t first, std::index_sequence<I...>) {
    return std::make_tuple(optimizer(first + I)...);
  }
  // One step of an optimizer, with the factors of callbacks on its learning rates.
  ClosureResult update(Optimizer& optimizer, size_t index, const Closure& closure);
  void stepped(size_t index);

  std::unique_ptr<Impl> impl_;
};

}  // namespace grapnel
