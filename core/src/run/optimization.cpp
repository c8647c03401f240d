#include "run/optimization.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <utility>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "run/learning_rates.h"
#include "run/loops.h"
#include "run/run.h"

namespace grapnel {

namespace {

// Each evaluation needs the gradients of the whole accumulation window at the same parameters, but
// those of its earlier batches were computed once, at the former ones.
[[noreturn]] void refuse_repetition(const Optimizer& optimizer, int64_t accumulate) {
  throw ConfigError(
      {},
      fmt::format("{} evaluates the loss several times in a step, which does not work with "
                  "accumulate_grad_batches={}; set it to 1 and use a larger batch size, or use "
                  "another optimizer",
                  optimizer.type_name(), accumulate),
      "accumulate_grad_batches");
}

// training_step, then, where they apply, zero_grad and backward: what an optimizer calls as
// closure.
class TrainingClosure {
 public:
  TrainingClosure(Run& run, Batch& batch, int64_t batch_idx, Optimizer& optimizer)
      : run_(run),
        batch_(batch),
        batch_idx_(batch_idx),
        optimizer_(optimizer),
        // Also again, for an optimizer that calls its closure several times.
        begins_window_(run.state.window_start < 0 || run.state.window_start == batch_idx) {}

  void operator()() {
    if (std::exchange(called_, true) && !begins_window_) {
      refuse_repetition(optimizer_, run_.state.accumulate_grad_batches);
    }
    at::AutoGradMode grad(true);
    {
      const PhaseClock::Span span(run_.phases, Phase::forward);
      output_ = run_.in_step("training_step",
                             [&] { return run_.module->training_step(batch_, batch_idx_); });
    }
    const at::Tensor step_loss = output_.loss;
    at::Tensor loss = step_loss;
    const int64_t accumulate = run_.state.accumulate_grad_batches;
    if (loss.defined() && accumulate != 1) loss = loss / accumulate;
    if (loss.defined()) {
      output_.loss = loss.detach();
    } else {
      log_once("fit-no-loss", LogLevel::warning,
               "training_step returned no loss; there is no backward pass on such a batch");
    }
    if (run_.loops->fit.skips_backward()) return;
    if (begins_window_) {
      zero_grad();
      run_.state.window_start = batch_idx_;
    }
    if (loss.defined()) {
      run_.loops->fit.set_gradients_of_batch(true);
      backward_with_hooks(run_, loss, step_loss, accumulate);
    }
  }

  StepOutput take_output() { return std::move(output_); }
  const StepOutput& output() const { return output_; }
  const at::Tensor& loss() const { return output_.loss; }

 private:
  void zero_grad() {
    run_.state.zero_grad.ready();
    OptimizerEvent event{run_.event(), optimizer_, 0};
    run_.hooks.on_before_zero_grad(event);
    run_.state.zero_grad.started();
    run_.in_module("optimizer_zero_grad", [&] {
      run_.module->optimizer_zero_grad(run_.current_epoch(), batch_idx_, optimizer_);
    });
    run_.state.zero_grad.completed();
  }

  Run& run_;
  Batch& batch_;
  int64_t batch_idx_;
  Optimizer& optimizer_;
  bool begins_window_;
  bool called_ = false;
  StepOutput output_;
};

// The closure of a skipped batch: the gradients of its window are used all the same.
struct NoBatch {
  void operator()() const {}
};

// The loss of a closure, and whether there are gradients to step with.
const at::Tensor& loss_of(const TrainingClosure& closure) {
  return closure.loss();
}
StepOutput output_of(const TrainingClosure& closure) {
  return closure.loss().defined() ? closure.output() : StepOutput();
}
bool has_gradients(const TrainingClosure& closure) {
  return closure.loss().defined();
}
at::Tensor loss_of(const NoBatch&) {
  return {};
}
StepOutput output_of(const NoBatch&) {
  return {};
}
bool has_gradients(const NoBatch&) {
  return true;
}

template <class BatchClosure>
void step_with_hooks(Run& run, int64_t batch_idx, Optimizer& optimizer, BatchClosure& closure) {
  run.state.optimizer_step.ready();
  ScaledStep scaled(run, optimizer);
  const PhaseClock::Span span(run.phases, Phase::optimizer);
  FactoredRates rates(run, optimizer, 0);
  const Closure wrapped = [&]() -> ClosureResult {
    rates.put_back();
    closure();
    scaled.unscale(has_gradients(closure));
    OptimizerEvent event{run.event(), optimizer, 0};
    run.hooks.on_before_optimizer_step(event);
    const bool skipped = run.requests.take(RequestKind::skip_step);
    run.in_module("configure_gradient_clipping", [&] {
      run.module->configure_gradient_clipping(optimizer, run.options.gradient_clip_val,
                                              run.options.gradient_clip_algorithm);
    });
    run.checkpointing.let_go();
    rates.apply();
    return {loss_of(closure), scaled.must_skip() || skipped};
  };
  run.in_module("optimizer_step", [&] {
    run.module->optimizer_step(run.current_epoch(), batch_idx, optimizer, wrapped);
  });
  rates.put_back();
  scaled.finish();
  run.state.optimizer_step.completed();
  run.state.window_start = -1;
  run.loops->fit.set_gradients_of_batch(false);
  run.loops->fit.enter_after_step(output_of(closure));
  OptimizerEvent event{run.event(), optimizer, 0};
  run.hooks.on_after_optimizer_step(event);
}

Optimizer& only_optimizer(Run& run) {
  if (run.optimizers.size() > 1) {
    throw ConfigError({},
                      "automatic optimization works with one optimizer, but "
                      "configure_optimizers returned several; set automatic_optimization = false "
                      "in the module and step them in training_step");
  }
  return *run.optimizers[0];
}

}  // namespace

const std::map<std::string, double, std::less<>>& NoOptimizer::defaults() const {
  static const std::map<std::string, double, std::less<>> none;
  return none;
}

ScaledStep::ScaledStep(Run& run, Optimizer& optimizer)
    : scaler_(run.scaler.get()), optimizer_(optimizer) {
  // LBFGS calls its closure several times, but a gradient can be unscaled only once.
  if (scaler_ != nullptr && optimizer.type_name() == "LBFGS") {
    throw ConfigError({},
                      "LBFGS doesn't work with precision=\"16-mixed\"; use another optimizer or "
                      "precision=\"bf16-mixed\"",
                      "precision");
  }
}

void ScaledStep::unscale(bool has_gradients) {
  has_gradients_ = has_gradients;
  if (scaler_ != nullptr && has_gradients) scaler_->unscale(optimizer_);
}

bool ScaledStep::must_skip() const {
  if (scaler_ == nullptr) return false;
  if (!has_gradients_) return true;
  if (!scaler_->found_inf()) return false;
  log_debug("an optimizer step is skipped: its gradients overflowed at scale {}",
            scaler_->current_scale());
  return true;
}

void ScaledStep::finish() {
  if (scaler_ != nullptr && has_gradients_) scaler_->update();
}

void backward_with_hooks(Run& run, const at::Tensor& unscaled, const at::Tensor& step_loss,
                         int64_t divisor) {
  const auto scaled = [&](const at::Tensor& value) {
    return run.scaler != nullptr ? run.scaler->scale(value) : value;
  };
  at::Tensor loss = scaled(unscaled);
  LossTerms terms(step_loss);
  BackwardEvent before{run.event(), loss, &terms};
  run.hooks.on_before_backward(before);
  if (terms.sum().defined()) {
    const at::AutoGradMode grad(true);
    loss = scaled(unscaled + (divisor == 1 ? terms.sum() : terms.sum() / divisor));
  }
  {
    const PhaseClock::Span span(run.phases, Phase::backward);
    run.in_module("backward", [&] { run.module->backward(loss); });
  }
  Event after = run.event();
  run.hooks.on_after_backward(after);
}

StepOutput optimize_automatically(Run& run, Batch& batch, int64_t batch_idx) {
  Optimizer& optimizer = only_optimizer(run);
  const int64_t accumulate = run.state.accumulate_grad_batches;
  if (accumulate != 1 && optimizer.type_name() == "LBFGS") {
    refuse_repetition(optimizer, accumulate);
  }
  TrainingClosure closure(run, batch, batch_idx, optimizer);
  if (run.loops->fit.should_accumulate()) {
    closure();
  } else {
    step_with_hooks(run, batch_idx, optimizer, closure);
  }
  if (!closure.loss().defined()) return {};
  return closure.take_output();
}

void step_without_batch(Run& run, int64_t batch_idx) {
  if (!run.module->automatic_optimization || run.state.window_start < 0) return;
  if (run.loops->fit.should_accumulate()) return;
  NoBatch none;
  step_with_hooks(run, batch_idx, only_optimizer(run), none);
}

StepOutput optimize_manually(Run& run, Batch& batch, int64_t batch_idx) {
  at::AutoGradMode grad(true);
  run.hooks.position.step = run.global_step() + 1;
  const PhaseClock::Span span(run.phases, Phase::forward);
  StepOutput output =
      run.in_step("training_step", [&] { return run.module->training_step(batch, batch_idx); });
  if (output.loss.defined()) output.loss = output.loss.detach();
  return output;
}

}  // namespace grapnel
