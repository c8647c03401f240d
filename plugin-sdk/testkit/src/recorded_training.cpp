#include <grapnel/testkit/recorded_training.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "sink_feed.h"

namespace grapnel::testkit {
namespace {

FakeTensorPtr filled(std::vector<std::int64_t> sizes, double first, double step) {
  auto tensor = std::make_shared<FakeTensor>();
  std::int64_t count = 1;
  for (const std::int64_t size : sizes) count *= size;
  for (std::int64_t i = 0; i < count; ++i) {
    tensor->values.push_back(first + step * static_cast<double>(i));
  }
  tensor->sizes = std::move(sizes);
  return tensor;
}

FakeBatch batch_of(std::int64_t index) {
  const auto number = static_cast<double>(index);
  FakeBatch batch;
  batch.names = {"input", "target"};
  batch.tensors = {filled({4, 3}, number, 0.25), filled({4}, 0, 1)};
  batch.tensors[1]->dtype = GRAPNEL_DTYPE_I64;
  for (double& target : batch.tensors[1]->values) target = std::fmod(target, 2);
  for (std::int64_t i = 0; i < 4; ++i) batch.sample_indices.push_back(4 * index + i);
  return batch;
}

// x W^T + b for x of [N, 3]; null for another shape.
FakeTensorPtr linear(const RecordingHost& host, const FakeTensor& input) {
  if (input.sizes.size() != 2 || input.sizes[1] != 3) return nullptr;
  const auto& weight = host.parameters[0].tensor->values;
  const auto& bias = host.parameters[1].tensor->values;
  auto output = filled({input.sizes[0], 2}, 0, 0);
  for (std::size_t i = 0; i < output->values.size(); ++i) {
    const std::size_t row = i / 2, column = i % 2;
    double sum = bias[column];
    for (std::size_t k = 0; k < 3; ++k) sum += input.values[3 * row + k] * weight[3 * column + k];
    output->values[i] = sum;
  }
  return output;
}

// The training itself: one object, one run.
class Training {
 public:
  Training(RunningCallback& callback, const TrainingPlan& plan)
      : callback_(callback), host_(callback.host()), plan_(plan), sink_(callback, record_) {}

  RecordedTraining run() {
    add_small_model(host_);
    grapnel_trainer_state& state = host_.trainer;
    state.run = plan_.run;
    state.stage = GRAPNEL_STAGE_NONE;
    state.global_step = state.current_epoch = 0;
    state.batch_idx = -1;
    state.max_epochs = plan_.epochs;
    state.max_steps = -1;
    state.num_training_batches = plan_.batches;
    state.accumulate_grad_batches = plan_.accumulate_grad_batches;
    state.stop_requested = state.is_last_batch = state.sanity_checking = 0;
    state.is_logging_step = 1;
    fire<grapnel_InitEvent>(GRAPNEL_HOOK_on_init_start);
    fire<grapnel_InitEvent>(GRAPNEL_HOOK_on_init_end);
    const bool completed = ok() && stages();
    end(completed);
    return std::move(record_);
  }

 private:
  bool ok() const { return record_.status == GRAPNEL_OK && !failed_ && !signalled_; }

  template <class RawEvent>
  bool fire(std::uint32_t hook, RawEvent event = {}) {
    if (!callback_.wants(hook)) return ok();
    const std::size_t requested = host_.requests.size();
    const std::int32_t status = callback_.fire(hook, event);
    record_.hooks.push_back(hook_name(hook));
    if (status != GRAPNEL_OK) {
      record_.hooks.back() += " answered " + std::to_string(status);
      if (record_.status == GRAPNEL_OK) {
        record_.status = status;
        record_.failed_hook = hook_name(hook);
      }
    }
    for (std::size_t i = requested; i < host_.requests.size(); ++i) grant(host_.requests[i]);
    return ok();
  }

  void grant(const RecordingHost::Request& request) {
    reason_ = request.reason;
    if (request.kind == GRAPNEL_REQUEST_STOP) stop_ = true;
    if (request.kind == GRAPNEL_REQUEST_SKIP_BATCH) skip_batch_ = true;
    if (request.kind == GRAPNEL_REQUEST_SKIP_STEP) skip_step_ = true;
    if (request.kind == GRAPNEL_REQUEST_END_EPOCH) end_epoch_ = true;
    if (request.kind == GRAPNEL_REQUEST_EVALUATE) evaluate_ = true;
    if (request.kind == GRAPNEL_REQUEST_SAVE) save_ = true;
    host_.trainer.stop_requested = stop_ ? 1 : 0;
  }

  bool stages() {
    grapnel_StageEvent stage{};
    stage.run = plan_.run;
    if (!fire(GRAPNEL_HOOK_setup, stage)) return false;
    if (!sink_.begin()) {
      record_.status = GRAPNEL_ERROR;
      record_.failed_hook = "metrics_sink.begin";
      return false;
    }
    const bool done = plan_.run == GRAPNEL_RUN_FIT ? fit() : evaluate(plan_.run);
    return done && fire(GRAPNEL_HOOK_teardown, stage);
  }

  bool fit() {
    if (plan_.resume != nullptr && !resume()) return false;
    if (!fire<grapnel_Event>(GRAPNEL_HOOK_on_fit_start)) return false;
    if (plan_.sanity_check && plan_.validation_batches > 0) {
      host_.trainer.sanity_checking = 1;
      if (!fire<grapnel_Event>(GRAPNEL_HOOK_on_sanity_check_start) ||
          !evaluate(GRAPNEL_RUN_VALIDATE) ||
          !fire<grapnel_Event>(GRAPNEL_HOOK_on_sanity_check_end)) {
        return false;
      }
      host_.trainer.sanity_checking = 0;
    }
    host_.trainer.stage = GRAPNEL_STAGE_TRAIN;
    if (!fire<grapnel_Event>(GRAPNEL_HOOK_on_train_start)) return false;
    while (host_.trainer.current_epoch < plan_.epochs && !stop_) {
      if (!epoch()) return false;
      ++host_.trainer.current_epoch;
    }
    return fire<grapnel_Event>(GRAPNEL_HOOK_on_train_end) &&
           fire<grapnel_Event>(GRAPNEL_HOOK_on_fit_end);
  }

  bool epoch() {
    grapnel_trainer_state& state = host_.trainer;
    end_epoch_ = false;
    state.batch_idx = -1;
    if (!fire<grapnel_Event>(GRAPNEL_HOOK_on_train_epoch_start)) return false;
    for (std::int64_t i = 0; i < plan_.batches && !end_epoch_ && !stop_; ++i) {
      state.batch_idx = i;
      state.is_last_batch = i + 1 == plan_.batches ? 1 : 0;
      if (!train_batch(i)) return false;
    }
    if (plan_.validation_batches > 0 && !validation()) return false;
    if (!fire<grapnel_Event>(GRAPNEL_HOOK_on_train_epoch_end)) return false;
    sink_.write(false);
    return !plan_.checkpoints || checkpoint();
  }

  bool validation() {
    const std::int64_t batch = host_.trainer.batch_idx;
    if (!evaluate(GRAPNEL_RUN_VALIDATE)) return false;
    host_.trainer.stage = GRAPNEL_STAGE_TRAIN;
    host_.trainer.batch_idx = batch;
    return true;
  }

  bool train_batch(std::int64_t index) {
    FakeBatch batch = batch_of(index);
    auto* batch_handle = reinterpret_cast<grapnel_batch*>(&batch);
    skip_batch_ = skip_step_ = evaluate_ = save_ = false;
    grapnel_TrainBatchStart start{};
    start.batch = batch_handle;
    start.batch_idx = index;
    if (!fire(GRAPNEL_HOOK_on_train_batch_start, start)) return false;
    if (skip_batch_ || end_epoch_) return true;
    if (batches_seen_ == plan_.fail_in_batch) return failed_ = true, false;
    FakeOutputs outputs = step(index);
    if (!ok()) return false;
    grapnel_TrainBatchEnd done{};
    done.batch = batch_handle;
    done.batch_idx = index;
    done.outputs = reinterpret_cast<grapnel_outputs*>(&outputs);
    if (host_.times) {
      ++host_.times->batches;
      host_.times->samples += 4;
      host_.times->total += 0.5;
      host_.times->phases[GRAPNEL_PHASE_OTHER] += 0.5;
    }
    if (!fire(GRAPNEL_HOOK_on_train_batch_end, done)) return false;
    sink_.write(false, outputs.loss ? SinkFeed::Metrics{{"train_loss", *outputs.loss}}
                                    : SinkFeed::Metrics{});
    if (batches_seen_++ == plan_.signal_in_batch) {
      grapnel_SignalEvent signal{};
      signal.signal = 15;
      fire(GRAPNEL_HOOK_on_signal, signal);
      return signalled_ = true, false;
    }
    if (evaluate_ && plan_.validation_batches > 0 && !validation()) return false;
    return !save_ || checkpoint();
  }

  FakeOutputs step(std::int64_t index) {
    FakeOutputs outputs = predictions();
    outputs.loss = plan_.loss ? plan_.loss(batches_seen_)
                              : std::optional<double>(1 / static_cast<double>(1 + batches_seen_));
    if (outputs.loss) host_.module_metrics["train_loss"] = *outputs.loss;
    const bool is_first = index % plan_.accumulate_grad_batches == 0;
    const bool is_last =
        (index + 1) % plan_.accumulate_grad_batches == 0 || index + 1 == plan_.batches;
    if (is_first && !fire<grapnel_OptimizerEvent>(GRAPNEL_HOOK_on_before_zero_grad)) return outputs;
    for (FakeParameter& parameter : host_.parameters) {
      if (is_first) parameter.grad = nullptr;
    }
    if (outputs.loss && !backward(*outputs.loss)) return outputs;
    if (!is_last || !fire<grapnel_OptimizerEvent>(GRAPNEL_HOOK_on_before_optimizer_step)) {
      return outputs;
    }
    if (!skip_step_) update();
    fire<grapnel_OptimizerEvent>(GRAPNEL_HOOK_on_after_optimizer_step);
    return outputs;
  }

  bool backward(double loss) {
    grapnel_BackwardEvent event{};
    event.loss = host_.lend_handle(FakeTensor::scalar(loss));
    host_.step_loss = loss;
    const bool is_undisturbed = fire(GRAPNEL_HOOK_on_before_backward, event);
    host_.step_loss.reset();
    host_.is_recording = false;
    if (!is_undisturbed) return false;
    for (FakeParameter& parameter : host_.parameters) {
      if (parameter.trainable) parameter.grad = filled(parameter.tensor->sizes, 0.5, 0.125);
    }
    return fire<grapnel_Event>(GRAPNEL_HOOK_on_after_backward);
  }

  // SGD with the learning rate of the first group and the factor that the plugin set on it.
  void update() {
    double rate = 0;
    if (!host_.optimizers.empty() && !host_.optimizers[0].groups.empty()) {
      const auto& options = host_.optimizers[0].groups[0];
      if (const auto found = options.find("lr"); found != options.end()) rate = found->second;
      for (const auto& [group, factor] : host_.rate_factors) {
        if (group.first <= 0 && group.second <= 0) rate *= factor;
      }
    }
    for (FakeParameter& parameter : host_.parameters) {
      if (parameter.grad == nullptr || !parameter.trainable) continue;
      auto& values = parameter.tensor->values;
      const std::size_t count = std::min(values.size(), parameter.grad->values.size());
      for (std::size_t i = 0; i < count; ++i) values[i] -= rate * parameter.grad->values[i];
    }
    record_.steps = ++host_.trainer.global_step;
  }

  struct EvaluationHooks {
    std::int32_t stage;
    std::uint32_t start, epoch_start, batch_start, batch_end, epoch_end, end;
  };
  static EvaluationHooks evaluation_hooks(std::int32_t run) {
    if (run == GRAPNEL_RUN_TEST) {
      return {GRAPNEL_STAGE_TEST,
              GRAPNEL_HOOK_on_test_start,
              GRAPNEL_HOOK_on_test_epoch_start,
              GRAPNEL_HOOK_on_test_batch_start,
              GRAPNEL_HOOK_on_test_batch_end,
              GRAPNEL_HOOK_on_test_epoch_end,
              GRAPNEL_HOOK_on_test_end};
    }
    if (run == GRAPNEL_RUN_PREDICT) {
      return {GRAPNEL_STAGE_PREDICT,
              GRAPNEL_HOOK_on_predict_start,
              GRAPNEL_HOOK_on_predict_epoch_start,
              GRAPNEL_HOOK_on_predict_batch_start,
              GRAPNEL_HOOK_on_predict_batch_end,
              GRAPNEL_HOOK_on_predict_epoch_end,
              GRAPNEL_HOOK_on_predict_end};
    }
    return {GRAPNEL_STAGE_VALIDATE,
            GRAPNEL_HOOK_on_validation_start,
            GRAPNEL_HOOK_on_validation_epoch_start,
            GRAPNEL_HOOK_on_validation_batch_start,
            GRAPNEL_HOOK_on_validation_batch_end,
            GRAPNEL_HOOK_on_validation_epoch_end,
            GRAPNEL_HOOK_on_validation_end};
  }

  bool evaluate(std::int32_t run) {
    const EvaluationHooks hooks = evaluation_hooks(run);
    grapnel_trainer_state& state = host_.trainer;
    state.stage = state.sanity_checking != 0 ? GRAPNEL_STAGE_SANITY_CHECK : hooks.stage;
    state.batch_idx = -1;
    if (!fire<grapnel_Event>(hooks.start) || !fire<grapnel_Event>(hooks.epoch_start)) return false;
    for (std::int64_t i = 0; i < plan_.validation_batches; ++i) {
      state.batch_idx = i;
      FakeBatch batch = batch_of(i);
      grapnel_EvalBatchStart start{};
      start.batch = reinterpret_cast<grapnel_batch*>(&batch);
      start.batch_idx = i;
      if (!fire(hooks.batch_start, start)) return false;
      FakeOutputs outputs = evaluation_outputs(run);
      grapnel_EvalBatchEnd end{};
      end.batch = start.batch;
      end.batch_idx = i;
      end.outputs = reinterpret_cast<grapnel_outputs*>(&outputs);
      if (!fire(hooks.batch_end, end)) return false;
    }
    SinkFeed::Metrics metrics;
    if (run == GRAPNEL_RUN_VALIDATE && state.sanity_checking == 0) {
      metrics = {{"val_loss", 1 / static_cast<double>(1 + state.global_step)}};
      host_.module_metrics["val_loss"] = metrics[0].second;
    }
    const bool passed = fire<grapnel_Event>(hooks.epoch_end) && fire<grapnel_Event>(hooks.end);
    sink_.write(true, metrics);
    return passed;
  }

  // What steps return besides the loss, and in predictions alone: two classes.
  static FakeOutputs predictions() {
    FakeOutputs outputs;
    outputs.names = {"predictions"};
    outputs.tensors = {filled({4, 2}, 0, 0.5)};
    return outputs;
  }

  FakeOutputs evaluation_outputs(std::int32_t run) const {
    FakeOutputs outputs = predictions();
    if (run == GRAPNEL_RUN_PREDICT) {
      outputs.names = {""};
    } else {
      outputs.loss = 1 / static_cast<double>(1 + host_.trainer.global_step);
    }
    return outputs;
  }

  bool checkpoint() {
    if (callback_.state() != nullptr) {
      try {
        record_.checkpoints.push_back(callback_.save());
      } catch (const std::exception&) {
        record_.status = GRAPNEL_ERROR;
        record_.failed_hook = "state.save";
        return false;
      }
    }
    if (!fire<grapnel_SaveCheckpoint>(GRAPNEL_HOOK_on_save_checkpoint)) return false;
    const std::string path =
        host_.run_directory + "/epoch=" + std::to_string(host_.trainer.current_epoch) + ".ckpt";
    grapnel_CheckpointWritten written{};
    written.path = to_abi(path);
    return fire(GRAPNEL_HOOK_on_checkpoint_written, written);
  }

  bool resume() {
    if (!fire<grapnel_LoadCheckpoint>(GRAPNEL_HOOK_on_load_checkpoint)) return false;
    if (callback_.state() == nullptr) return true;
    const std::int32_t status = callback_.load(*plan_.resume);
    if (status == GRAPNEL_OK) return true;
    record_.status = status;
    record_.failed_hook = "state.load";
    return false;
  }

  void end(bool completed) {
    grapnel_RunEnd end{};
    if (!completed) {
      const std::string message = failed_      ? "the training step failed"
                                  : signalled_ ? "SIGTERM"
                                               : record_.failed_hook;
      host_.end_leases();
      grapnel_ExceptionEvent event{};
      event.type = to_abi(failed_ ? "Error" : signalled_ ? "Interrupted" : "PluginError");
      event.message = to_abi(message);
      fire(GRAPNEL_HOOK_on_exception, event);
      record_.outcome = signalled_ ? GRAPNEL_OUTCOME_INTERRUPTED : GRAPNEL_OUTCOME_FAILED;
      reason_ = message;
    } else if (stop_) {
      record_.outcome = GRAPNEL_OUTCOME_STOPPED;
    }
    host_.end_leases();
    sink_.end(record_.outcome,
              record_.outcome == GRAPNEL_OUTCOME_FINISHED ? std::string_view() : reason_);
    host_.trainer.stage = GRAPNEL_STAGE_NONE;
    end.outcome = record_.outcome;
    end.reason = to_abi(record_.outcome == GRAPNEL_OUTCOME_FINISHED ? std::string_view() : reason_);
    fire(GRAPNEL_HOOK_on_run_end, end);
  }

  RunningCallback& callback_;
  RecordingHost& host_;
  const TrainingPlan& plan_;
  RecordedTraining record_;
  SinkFeed sink_;
  std::int64_t batches_seen_ = 0;
  std::string reason_;
  bool stop_ = false, skip_batch_ = false, skip_step_ = false, end_epoch_ = false;
  bool evaluate_ = false, save_ = false, failed_ = false, signalled_ = false;
};

}  // namespace

void add_small_model(RecordingHost& host) {
  if (!host.parameters.empty()) return;
  FakeParameter weight{"layer.weight", filled({2, 3}, 1, 0.5), nullptr};
  FakeParameter bias{"layer.bias", filled({2}, 0, 1), nullptr};
  host.parameters = {weight, bias};
  host.buffers = {FakeParameter{"layer.running_mean", filled({3}, 0, 0.25), nullptr, false}};
  ++host.generation;
  host.forward = [&host](const FakeTensorPtr& input) { return linear(host, *input); };
  if (!host.times) host.times.emplace();
  if (host.optimizers.empty()) {
    host.optimizers = {{"SGD", {{{"lr", 0.1}, {"momentum", 0.9}, {"weight_decay", 0}}}}};
  }
}

RecordedTraining run_training(RunningCallback& callback, const TrainingPlan& plan) {
  return Training(callback, plan).run();
}

std::string hook_name(std::uint32_t hook) {
  switch (hook) {
#define GRAPNEL_HOOK(id, name, event, stage, module) \
  case id:                                           \
    return #name;
#include <grapnel/hooks.def>
#undef GRAPNEL_HOOK
    default:
      return "hook " + std::to_string(hook);
  }
}

}  // namespace grapnel::testkit
