// What each hook is given: one struct per kind of hook, named in hooks.def. Their fields are listed
// in event_fields.h too.
//
// References are valid until the hook returns. InitEvent is for hooks called while the trainer is
// constructed, when there is no module yet; every other event has both trainer and module.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <exception>
#include <filesystem>
#include <string>

#include "grapnel/batch.h"
#include "grapnel/loss_terms.h"
#include "grapnel/run_state.h"

namespace grapnel {

class Trainer;
class Module;
class Optimizer;
class StateDict;

struct InitEvent {
  Trainer& trainer;
};

struct Event {
  Trainer& trainer;
  Module& module;
};

struct StageEvent : Event {
  RunKind run;
};

struct TrainBatchStart : Event {
  Batch& batch;
  int64_t batch_idx;  // within the epoch, from 0
};

struct TrainBatchEnd : Event {
  StepOutput& outputs;  // its loss is detached and divided by accumulate_grad_batches
  Batch& batch;
  int64_t batch_idx;
};

struct EvalBatchStart : Event {
  Batch& batch;
  int64_t batch_idx;       // within its data loader, from 0
  int64_t dataloader_idx;  // 0 when there is one loader
};

struct EvalBatchEnd : Event {
  StepOutput& outputs;
  Batch& batch;
  int64_t batch_idx;
  int64_t dataloader_idx;
};

struct OptimizerEvent : Event {
  Optimizer& optimizer;
  int64_t optimizer_idx;
};

struct BackwardEvent : Event {
  // Divided by accumulate_grad_batches; under precision 16-mixed times the scale.
  const at::Tensor& loss;
  // Adds terms to the loss; nullptr in a loop of the user's own (Fabric), whose backward pass is not
  // the library's.
  LossTerms* terms = nullptr;
};

struct ExceptionEvent : Event {
  std::exception_ptr exception;
  std::string message;  // what(), of LibTorch's exceptions without the backtrace
  std::string type;     // "ConfigError", "PluginError", ...: the unqualified class name
};

struct SaveCheckpoint : Event {
  StateDict& checkpoint;      // may be edited
  bool weights_only = false;  // no optimizers, no states of callbacks
};

struct LoadCheckpoint : Event {
  const StateDict& checkpoint;
};

struct CheckpointWritten : Event {
  std::filesystem::path path;
};

struct SignalEvent : Event {
  int signal;  // SIGINT, SIGTERM
};

struct RunEnd : Event {
  Outcome outcome;
  std::string reason;  // of a stop or a failure; empty when finished
};

}  // namespace grapnel
