// Core's events as the ABI's structs: made on the stack for one hook, their handles valid until it
// returns.
//
// Translated<Event> holds the struct and whatever it borrows; `call` says what is running. A new kind of
// event is one specialization.
#pragma once

#include <concepts>
#include <string>

#include <grapnel/abi.h>
#include <grapnel/base/utf8.h>
#include <grapnel/events.h>
#include <grapnel/hook_mask.h>

#include "instance_host.h"

namespace grapnel::bridge {

template <class AbiEvent>
AbiEvent start(Hook hook) {
  AbiEvent event{};
  event.struct_size = sizeof event;
  event.hook = static_cast<std::uint32_t>(hook);
  return event;
}

inline Call call_of(Hook hook, InitEvent& event) {
  Call call;
  call.name = kHookNames[static_cast<std::size_t>(hook)].data();
  call.in_hook = true;
  call.hook = hook;
  call.trainer = &event.trainer;
  return call;
}

template <class CoreEvent>
requires std::derived_from<CoreEvent, Event> Call call_of(Hook hook, CoreEvent& event) {
  Call call;
  call.name = kHookNames[static_cast<std::size_t>(hook)].data();
  call.in_hook = true;
  call.hook = hook;
  call.trainer = &event.trainer;
  call.module = &event.module;
  call.event = &event;
  if constexpr (requires { event.batch_idx; }) call.batch_idx = event.batch_idx;
  return call;
}

// A batch and outputs lent for the time of a hook.
class Lent {
 public:
  explicit Lent(InstanceHost& host) : host_(host) {}
  ~Lent() {
    host_.batch = {};
    host_.outputs = {};
  }
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;
  grapnel_batch* batch(Batch& batch, bool replaceable) {
    host_.batch = {&batch, replaceable};
    return &host_.batch;
  }
  grapnel_outputs* outputs(StepOutput& outputs) {
    host_.outputs = {&outputs};
    return &host_.outputs;
  }

 private:
  InstanceHost& host_;
};

template <class CoreEvent>
struct Translated;

template <>
struct Translated<InitEvent> {
  Translated(InstanceHost&, Hook hook, InitEvent&) : abi(start<grapnel_InitEvent>(hook)) {}
  grapnel_InitEvent abi;
};

template <>
struct Translated<Event> {
  Translated(InstanceHost&, Hook hook, Event&) : abi(start<grapnel_Event>(hook)) {}
  grapnel_Event abi;
};

template <>
struct Translated<StageEvent> {
  Translated(InstanceHost&, Hook hook, StageEvent& event) : abi(start<grapnel_StageEvent>(hook)) {
    abi.run = static_cast<std::int32_t>(event.run);
  }
  grapnel_StageEvent abi;
};

template <>
struct Translated<TrainBatchStart> {
  Translated(InstanceHost& host, Hook hook, TrainBatchStart& event)
      : lent(host), abi(start<grapnel_TrainBatchStart>(hook)) {
    abi.batch = lent.batch(event.batch, true);
    abi.batch_idx = event.batch_idx;
  }
  Lent lent;
  grapnel_TrainBatchStart abi;
};

template <>
struct Translated<TrainBatchEnd> {
  Translated(InstanceHost& host, Hook hook, TrainBatchEnd& event)
      : lent(host), abi(start<grapnel_TrainBatchEnd>(hook)) {
    abi.batch = lent.batch(event.batch, false);
    abi.batch_idx = event.batch_idx;
    abi.outputs = lent.outputs(event.outputs);
  }
  Lent lent;
  grapnel_TrainBatchEnd abi;
};

template <>
struct Translated<EvalBatchStart> {
  Translated(InstanceHost& host, Hook hook, EvalBatchStart& event)
      : lent(host), abi(start<grapnel_EvalBatchStart>(hook)) {
    abi.batch = lent.batch(event.batch, true);
    abi.batch_idx = event.batch_idx;
    abi.dataloader_idx = event.dataloader_idx;
  }
  Lent lent;
  grapnel_EvalBatchStart abi;
};

template <>
struct Translated<EvalBatchEnd> {
  Translated(InstanceHost& host, Hook hook, EvalBatchEnd& event)
      : lent(host), abi(start<grapnel_EvalBatchEnd>(hook)) {
    abi.batch = lent.batch(event.batch, false);
    abi.batch_idx = event.batch_idx;
    abi.dataloader_idx = event.dataloader_idx;
    abi.outputs = lent.outputs(event.outputs);
  }
  Lent lent;
  grapnel_EvalBatchEnd abi;
};

template <>
struct Translated<OptimizerEvent> {
  Translated(InstanceHost&, Hook hook, OptimizerEvent& event)
      : abi(start<grapnel_OptimizerEvent>(hook)) {
    abi.optimizer_idx = event.optimizer_idx;
  }
  grapnel_OptimizerEvent abi;
};

template <>
struct Translated<BackwardEvent> {
  Translated(InstanceHost& host_, Hook hook, BackwardEvent& event)
      : abi(start<grapnel_BackwardEvent>(hook)), host(host_) {
    abi.loss = host.tensors.borrow(event.loss);
  }
  ~Translated() { host.tensors.end_borrow(abi.loss); }
  Translated(const Translated&) = delete;
  Translated& operator=(const Translated&) = delete;
  grapnel_BackwardEvent abi;
  InstanceHost& host;
};

template <>
struct Translated<ExceptionEvent> {
  Translated(InstanceHost&, Hook hook, ExceptionEvent& event)
      : type(to_utf8(event.type)),
        message(to_utf8(event.message)),
        abi(start<grapnel_ExceptionEvent>(hook)) {
    abi.type = to_abi(type);
    abi.message = to_abi(message);
  }
  std::string type;
  std::string message;
  grapnel_ExceptionEvent abi;
};

template <>
struct Translated<SaveCheckpoint> {
  Translated(InstanceHost&, Hook hook, SaveCheckpoint&)
      : abi(start<grapnel_SaveCheckpoint>(hook)) {}
  grapnel_SaveCheckpoint abi;
};

template <>
struct Translated<LoadCheckpoint> {
  Translated(InstanceHost&, Hook hook, LoadCheckpoint&)
      : abi(start<grapnel_LoadCheckpoint>(hook)) {}
  grapnel_LoadCheckpoint abi;
};

template <>
struct Translated<CheckpointWritten> {
  Translated(InstanceHost&, Hook hook, CheckpointWritten& event)
      : path(to_utf8(path_text(event.path))), abi(start<grapnel_CheckpointWritten>(hook)) {
    abi.path = to_abi(path);
  }
  std::string path;
  grapnel_CheckpointWritten abi;
};

template <>
struct Translated<SignalEvent> {
  Translated(InstanceHost&, Hook hook, SignalEvent& event) : abi(start<grapnel_SignalEvent>(hook)) {
    abi.signal = event.signal;
  }
  grapnel_SignalEvent abi;
};

template <>
struct Translated<RunEnd> {
  Translated(InstanceHost&, Hook hook, RunEnd& event)
      : reason(to_utf8(event.reason)), abi(start<grapnel_RunEnd>(hook)) {
    abi.outcome = static_cast<std::int32_t>(event.outcome);
    abi.reason = to_abi(reason);
  }
  std::string reason;
  grapnel_RunEnd abi;
};

}  // namespace grapnel::bridge
