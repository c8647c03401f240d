// FitLoop's part of a checkpoint.
#include <algorithm>

#include "grapnel/base/log.h"
#include "run/fit_loop.h"
#include "run/loops.h"
#include "run/progress_state.h"
#include "run/run.h"
#include "run/standard_callbacks.h"

namespace grapnel {

namespace {

// The hook that a phase is about.
std::optional<Hook> hook_of(FitPhase phase) {
  switch (phase) {
    case FitPhase::epoch_start:
      return Hook::on_train_epoch_start;
    case FitPhase::after_step:
      return Hook::on_after_optimizer_step;
    case FitPhase::batch_end:
      return Hook::on_train_batch_end;
    case FitPhase::validation_end:
      return Hook::on_validation_end;
    case FitPhase::epoch_end:
      return Hook::on_train_epoch_end;
    default:
      return {};
  }
}

StateDict output_state(const StepOutput& output) {
  StateDict extras;
  for (const auto& [name, tensor] : output.extras) extras[name] = tensor.detach();
  StateDict state{{"extras", std::move(extras)}};
  if (output.loss.defined()) state["loss"] = output.loss;
  return state;
}

StepOutput load_output(const StateDict& state) {
  StepOutput output;
  if (const StateValue* loss = state.find("loss")) output.loss = loss->to_tensor();
  for (const auto& [name, tensor] : state.at("extras").to_dict()) {
    output.extras.emplace_back(name, tensor.to_tensor());
  }
  return output;
}

void add_reload(StateDict& reloads, const char* stage, const LoaderSet& loaders) {
  if (loaders.last_reload_epoch >= 0) reloads[stage] = loaders.last_reload_epoch;
}

}  // namespace

StateDict FitLoop::state_dict() const {
  StateDict loops = progress_state(progress_to_save(), point_);
  StateDict& fit = loops.at("fit_loop").to_dict();
  StateDict& point = fit.at("resume_point").to_dict();
  point["step"] = run_.hooks.position.step;
  point["steps_of_batch"] = last_steps_;
  if (const auto hook = hook_of(phase())) point["called"] = run_.hooks.called_in(*hook);
  if (point_.epoch_cut_short || point_.before_stop) point["generators"] = generators_;
  const bool has_output = phase() >= FitPhase::after_step && phase() <= FitPhase::batch_end;
  if (has_output && run_.hooks.hook_has_rest(Hook::on_train_batch_end)) {
    point["output"] = output_state(output_);
  }
  fit["requests"] = run_.requests.state_dict(keeps_stop());
  fit["scheduler_steps"] = schedulers_.state_dict();
  fit["validation_schedule"] = validations_.state_dict(repeated_batches());
  fit["validation_batches_seen"] =
      run_.loops->validation.seen_batches(phase() == FitPhase::validation);
  StateDict reloads;
  if (run_.options.reload_dataloaders_every_n_epochs > 0) {
    add_reload(reloads, "train", set_);
    add_reload(reloads, "validation", run_.loops->validation.loaders());
  }
  if (!reloads.empty()) fit["reloads"] = std::move(reloads);
  StateDict times = run_.hooks.filter_times();
  if (!times.empty()) fit["filter_times"] = std::move(times);
  return loops;
}

// A batch in whose middle the checkpoint is written is done again: with all of its accumulation
// window, when there are gradients of it already. So is a validation.
RunState FitLoop::progress_to_save() const {
  RunState saved = run_.state;
  saved.batch.current.completed -= repeated_batches();
  saved.batch.total.completed -= repeated_batches();
  if (repeats_batch() && run_.state.window_start >= saved.batch.current.completed) {
    for (Counter* each : {&saved.zero_grad.total, &saved.zero_grad.current}) {
      --each->ready;
      --each->started;
      --each->completed;
    }
  }
  if (marked_ == phase() && phase() == FitPhase::validation) {
    saved.val_batch = val_batch_of_beginning_;
  }
  if (gradients_of_batch_) saved.window_start = -1;
  return saved;
}

int64_t FitLoop::repeated_batches() const {
  return gradients_of_batch_ ? run_.state.batch.current.completed - run_.state.window_start : 0;
}

StateDict FitLoop::generators_to_save() const {
  return marked_ == phase() ? beginning_.states() : generator_states();
}

bool FitLoop::keeps_gradients() const {
  return progress_to_save().window_start >= 0;
}

// Whether a stop that was requested is still to be carried out. Ending an epoch in its middle is that,
// unless a limit ended it while min_epochs or min_steps put the stop off; a resumed run is to train the
// rest.
bool FitLoop::keeps_stop() const {
  if (!can_stop_early()) return true;
  if (point_.epoch_cut_short && !is_inside_epoch()) return stop_is_put_off_;
  return phase() < FitPhase::train_end;
}

bool FitLoop::restores_stop_of(const std::string& author) const {
  if (author == "module") return true;
  if (author == "user") return is_inside_epoch();
  const auto found =
      std::find_if(run_.callbacks.begin(), run_.callbacks.end(), [&](const CallbackHandle& handle) {
        const Callback& callback = *handle.callback;
        return author == (callback.name().empty() ? callback.type_name() : callback.name());
      });
  if (found != run_.callbacks.end()) return !renews_stop(*found->callback);
  log_info(
      "the checkpoint holds a stop that {} requested, which is no part of this run; the "
      "training continues",
      author);
  return false;
}

void FitLoop::load_state_dict(const StateDict& loops, const std::filesystem::path& file) {
  load_progress(loops, run_.state, point_, file);
  resumes_ = true;
  RunState& state = run_.state;
  const StateDict& fit = loops.at("fit_loop").to_dict();
  const StateValue* saved = fit.find("resume_point");
  if (saved == nullptr) {  // the former format
    if (phase() == FitPhase::step_metrics) state.batch.completed();
    const Counter& batch = state.batch.current;
    const bool closing = phase() == FitPhase::step_metrics || phase() == FitPhase::requests;
    const int64_t open = phase() == FitPhase::in_batch ? batch.ready - batch.completed
                         : closing                     ? 1
                                                       : 0;
    validations_.infer(batch.ready - open, state.batch.total.ready - open);
    run_.hooks.set_filter_times(nullptr);
    return;
  }
  const StateDict& point = saved->to_dict();
  last_steps_ = point.at("steps_of_batch").to_int();
  step_of_checkpoint_ = point.at("step").to_int();
  run_.hooks.position.step = *step_of_checkpoint_;
  if (const StateValue* generators = point.find("generators")) {
    generators_ = snapshot(generators->to_dict());
  }
  output_ = {};
  if (const StateValue* output = point.find("output")) output_ = load_output(output->to_dict());
  if (const StateValue* called = point.find("called")) {
    run_.hooks.resume_hook(*hook_of(phase()), called->to_dict());
  }
  run_.requests.load_state_dict(fit.at("requests").to_dict(), [this](const std::string& author) {
    return restores_stop_of(author);
  });
  schedulers_.load_state_dict(fit.at("scheduler_steps").to_dict());
  validations_.load_state_dict(fit.at("validation_schedule").to_dict());
  run_.loops->validation.continue_from(fit.at("validation_batches_seen").to_list());
  if (const StateValue* reloads = fit.find("reloads")) {
    const StateDict& epochs = reloads->to_dict();
    if (const StateValue* own = epochs.find("train")) continue_reloads(own->to_int());
    if (const StateValue* own = epochs.find("validation")) {
      run_.loops->validation.continue_reloads(own->to_int());
    }
  }
  const StateValue* times = fit.find("filter_times");
  static const StateDict none;
  run_.hooks.set_filter_times(times == nullptr ? &none : &times->to_dict());
}

void FitLoop::undo_load(const StateDict& validation_schedule) {
  begin();
  validations_.load_state_dict(validation_schedule);
  run_.loops->validation.continue_from({});
}

// What was counted of the batch that is done again.
void FitLoop::repeat_unfinished() {
  RunState& state = run_.state;
  for (Progress* each : {&state.batch, &state.scheduler, &state.optimizer_step, &state.zero_grad}) {
    Counter& total = each->total;
    const Counter& current = each->current;
    total.ready -= current.ready - current.completed;
    total.started -= std::max<int64_t>(0, current.started - current.completed);
    total.processed -= std::max<int64_t>(0, current.processed - current.completed);
    each->reset_on_restart();
  }
}

}  // namespace grapnel
