// The events of hooks that are called by name: per kind of event, which arguments it is made of, in
// the order of Lightning's signatures without trainer and module, and how.
//
// Internal to standard_hook.cpp. One more kind of event is one more specialization of MadeEvent.
#pragma once

#include <ATen/ops/scalar_tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grapnel/base/error.h"
#include "grapnel/event_handlers.h"
#include "grapnel/hook_mask.h"
#include "run/run.h"

namespace grapnel {

// Batches of the running stage.
inline Progress& batches_of(RunState& state) {
  switch (state.stage) {
    case Stage::validate:
    case Stage::sanity_check:
      return state.val_batch;
    case Stage::test:
      return state.eval_batch;
    case Stage::predict:
      return state.predict_batch;
    default:
      return state.batch;
  }
}

// The arguments of one call, by the names of an event's fields, and the event made of them.
class HookFields {
 public:
  HookFields(Run& of, Hook hook, const EventArguments& arguments,
             std::vector<EventParameter> parameters)
      : run(of) {
    handler_.event = std::string(kHookNames[static_cast<size_t>(hook)]);
    handler_.parameters = std::move(parameters);
    bound_ = bind_arguments(handler_, "Fabric", arguments);
  }

  const EventValue& value(std::string_view name) const { return bound_.values[index_of(name)]; }

  std::string text(std::string_view name) const {
    return checked(name, value(name).as_string(), "a string");
  }
  int64_t integer(std::string_view name) const {
    return checked(name, value(name).as_int(), "an integer");
  }
  int64_t batch_idx() const {
    if (!value("batch_idx").is_null()) return integer("batch_idx");
    return std::max<int64_t>(0, progress().current.ready - 1);
  }
  // The caller's object; nullptr when it isn't given.
  template <class T>
  T* object(std::string_view name, std::string_view wanted) const {
    if (value(name).is_null()) return nullptr;
    T* found = value(name).object<T>();
    if (found == nullptr) refuse(name, wanted);
    return found;
  }
  [[noreturn]] void refuse(std::string_view name, std::string_view wanted) const {
    refuse_argument(handler_.event, name, wanted, value(name));
  }
  // A loss that may be a number.
  at::Tensor loss(std::string_view name) const {
    if (value(name).is_null()) return {};
    if (const auto tensor = value(name).as_tensor()) return *tensor;
    const auto number = value(name).as_double();
    if (!number) refuse(name, "a tensor or a number");
    return at::scalar_tensor(*number, at::kDouble);
  }
  Progress& progress() const { return batches_of(run.state); }

  Run& run;

 private:
  size_t index_of(std::string_view name) const {
    size_t index = 0;
    while (handler_.parameters[index].name != name) ++index;
    return index;
  }
  template <class T>
  T checked(std::string_view name, std::optional<T> found, std::string_view wanted) const {
    if (!found) refuse(name, wanted);
    return *std::move(found);
  }

  EventHandler handler_;
  BoundArguments bound_;
};

inline const EventValue kNotGiven;

// Hooks without arguments of their own.
template <class E>
struct MadeEvent {
  static std::vector<EventParameter> parameters() { return {}; }
  explicit MadeEvent(const HookFields& fields) : event{fields.run.event()} {}
  E event;
};

template <>
struct MadeEvent<InitEvent> {
  static std::vector<EventParameter> parameters() { return {}; }
  explicit MadeEvent(const HookFields& fields) : event{fields.run.trainer} {}
  InitEvent event;
};

template <class T>
T choose(const HookFields& fields, const char* name, std::initializer_list<T> known) {
  const std::string text = fields.text(name);
  std::string accepted;
  for (const T value : known) {
    if (text == to_string(value)) return value;
    accepted += (accepted.empty() ? "" : ", ") + std::string(to_string(value));
  }
  fields.refuse(name, "one of " + accepted);
}

template <>
struct MadeEvent<StageEvent> {
  static std::vector<EventParameter> parameters() { return {{"stage", "fit"}}; }
  explicit MadeEvent(const HookFields& fields)
      : event{fields.run.event(),
              choose(fields, "stage",
                     {RunKind::fit, RunKind::validate, RunKind::test, RunKind::predict})} {}
  StageEvent event;
};

// A batch of the caller's, or an empty one.
struct BatchField {
  explicit BatchField(const HookFields& fields)
      : given(fields.object<Batch>("batch", "a Batch, passed by std::ref")) {}
  Batch& get() { return given != nullptr ? *given : empty; }
  Batch* given;
  Batch empty;
};

struct OutputsField {
  explicit OutputsField(const HookFields& fields) {
    const EventValue& value = fields.value("outputs");
    if (value.is_object()) {
      given = fields.object<StepOutput>("outputs", "a StepOutput, passed by std::ref, or a loss");
      return;
    }
    made.loss = fields.loss(value.is_null() ? "loss" : "outputs");
    if (made.loss.defined()) made.loss = made.loss.detach();
  }
  StepOutput& get() { return given != nullptr ? *given : made; }
  StepOutput* given = nullptr;
  StepOutput made;
};

template <>
struct MadeEvent<TrainBatchStart> {
  static std::vector<EventParameter> parameters() {
    return {{"batch", kNotGiven}, {"batch_idx", kNotGiven}};
  }
  explicit MadeEvent(const HookFields& fields)
      : batch(fields), event{fields.run.event(), batch.get(), fields.batch_idx()} {}
  BatchField batch;
  TrainBatchStart event;
};

template <>
struct MadeEvent<TrainBatchEnd> {
  static std::vector<EventParameter> parameters() {
    return {{"outputs", kNotGiven},
            {"batch", kNotGiven},
            {"batch_idx", kNotGiven},
            {"loss", kNotGiven}};
  }
  explicit MadeEvent(const HookFields& fields)
      : batch(fields),
        outputs(fields),
        event{fields.run.event(), outputs.get(), batch.get(), fields.batch_idx()} {}
  BatchField batch;
  OutputsField outputs;
  TrainBatchEnd event;
};

template <>
struct MadeEvent<EvalBatchStart> {
  static std::vector<EventParameter> parameters() {
    return {{"batch", kNotGiven}, {"batch_idx", kNotGiven}, {"dataloader_idx", 0}};
  }
  explicit MadeEvent(const HookFields& fields)
      : batch(fields),
        event{fields.run.event(), batch.get(), fields.batch_idx(),
              fields.integer("dataloader_idx")} {}
  BatchField batch;
  EvalBatchStart event;
};

template <>
struct MadeEvent<EvalBatchEnd> {
  static std::vector<EventParameter> parameters() {
    return {{"outputs", kNotGiven},
            {"batch", kNotGiven},
            {"batch_idx", kNotGiven},
            {"dataloader_idx", 0},
            {"loss", kNotGiven}};
  }
  explicit MadeEvent(const HookFields& fields)
      : batch(fields),
        outputs(fields),
        event{fields.run.event(), outputs.get(), batch.get(), fields.batch_idx(),
              fields.integer("dataloader_idx")} {}
  BatchField batch;
  OutputsField outputs;
  EvalBatchEnd event;
};

template <>
struct MadeEvent<OptimizerEvent> {
  static std::vector<EventParameter> parameters() { return {{"optimizer_idx", 0}}; }
  explicit MadeEvent(const HookFields& fields)
      : event{fields.run.event(), optimizer(fields), fields.integer("optimizer_idx")} {}
  static Optimizer& optimizer(const HookFields& fields) {
    const auto& all = fields.run.optimizers;
    const int64_t index = fields.integer("optimizer_idx");
    if (index < 0 || static_cast<size_t>(index) >= all.size()) {
      throw ConfigError({},
                        fmt::format("there is no optimizer {}: {} were set up", index, all.size()),
                        "optimizer_idx");
    }
    return *all[static_cast<size_t>(index)];
  }
  OptimizerEvent event;
};

template <>
struct MadeEvent<BackwardEvent> {
  static std::vector<EventParameter> parameters() { return {"loss"}; }
  explicit MadeEvent(const HookFields& fields)
      : loss(fields.loss("loss")), event{fields.run.event(), loss} {
    if (!loss.defined()) fields.refuse("loss", "a tensor or a number");
  }
  at::Tensor loss;
  BackwardEvent event;
};

template <>
struct MadeEvent<ExceptionEvent> {
  static std::vector<EventParameter> parameters() {
    return {{"message", ""}, {"type", "Exception"}};
  }
  explicit MadeEvent(const HookFields& fields)
      : event{fields.run.event(),
              std::current_exception() != nullptr
                  ? std::current_exception()
                  : std::make_exception_ptr(Error(fields.text("message"))),
              fields.text("type"), fields.text("message")} {}
  ExceptionEvent event;
};

template <>
struct MadeEvent<SaveCheckpoint> {
  static std::vector<EventParameter> parameters() { return {{"checkpoint", kNotGiven}}; }
  explicit MadeEvent(const HookFields& fields)
      : given(fields.object<StateDict>("checkpoint", "a StateDict, passed by std::ref")),
        event{fields.run.event(), given != nullptr ? *given : empty} {}
  StateDict empty;
  StateDict* given;
  SaveCheckpoint event;
};

template <>
struct MadeEvent<LoadCheckpoint> {
  static std::vector<EventParameter> parameters() { return {{"checkpoint", kNotGiven}}; }
  explicit MadeEvent(const HookFields& fields)
      : given(fields.object<const StateDict>("checkpoint", "a StateDict, passed by std::ref")),
        event{fields.run.event(), given != nullptr ? *given : empty} {}
  StateDict empty;
  const StateDict* given;
  LoadCheckpoint event;
};

template <>
struct MadeEvent<CheckpointWritten> {
  static std::vector<EventParameter> parameters() { return {{"path", ""}}; }
  explicit MadeEvent(const HookFields& fields) : event{fields.run.event(), fields.text("path")} {}
  CheckpointWritten event;
};

template <>
struct MadeEvent<SignalEvent> {
  static std::vector<EventParameter> parameters() { return {{"signal", 0}}; }
  explicit MadeEvent(const HookFields& fields)
      : event{fields.run.event(), static_cast<int>(fields.integer("signal"))} {}
  SignalEvent event;
};

template <>
struct MadeEvent<RunEnd> {
  static std::vector<EventParameter> parameters() {
    return {{"outcome", "finished"}, {"reason", ""}};
  }
  explicit MadeEvent(const HookFields& fields)
      : event{fields.run.event(),
              choose(fields, "outcome",
                     {Outcome::finished, Outcome::stopped, Outcome::interrupted, Outcome::failed}),
              fields.text("reason")} {}
  RunEnd event;
};

}  // namespace grapnel
