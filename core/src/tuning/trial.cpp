#include "tuning/trial.h"

#include <ATen/core/grad_mode.h>

#include <exception>

#include "grapnel/base/log.h"
#include "run/standard_callbacks.h"
#include "values/exception_text.h"
#include "values/rng.h"

namespace grapnel {

namespace {

// The outer run's options, without logging anything twice.
TrainerOptions trial_options(const Run& outer) {
  TrainerOptions options = outer.options;
  if (!options.loggers.empty()) options.loggers = {silent_logger()};
  options.log_every_n_steps = 0;
  options.limit_train_batches = 1.0;
  options.limit_val_batches = 1.0;
  options.limit_test_batches = 1.0;
  options.limit_predict_batches = 1.0;
  return options;
}

// Every part is restored, also when others fail.
template <class Step>
void put_back_part(const char* what, Step&& step) noexcept {
  try {
    step();
  } catch (...) {
    log_error("after a trial, {} could not be put back: {}", what,
              exception_text(std::current_exception()));
  }
}

}  // namespace

Trial::Trial(Run& outer, std::vector<CallbackHandle> callbacks)
    : outer_(outer), exceptions_(std::uncaught_exceptions()) {
  auto inner = std::make_unique<Run>(outer.trainer, trial_options(outer), std::move(callbacks));
  inner_ = inner.get();
  inner->executing = true;
  inner->module = outer.module;
  inner->mask = outer.mask;
  inner->data = outer.data;
  inner->optimizers = outer.optimizers;
  inner->schedulers = outer.schedulers;
  if (outer.scaler != nullptr) {  // a copy, so that the outer run's scale stays
    inner->scaler = std::make_unique<GradScaler>(outer.device);
    inner->scaler->load_state_dict(outer.scaler->state_dict());
  }
  inner->hooks.set_module(outer.module, outer.mask);
  remember();
  rewind();
  outer_kept_ = Run::exchange(outer.trainer, std::move(inner));
}

Trial::~Trial() {
  inner_->leases.end_all();
  const auto ended = Run::exchange(outer_.trainer, std::move(outer_kept_));
  put_back();
}

void Trial::rewind() {
  inner_->state = outer_.state;
  inner_->state.should_stop = false;
  inner_->state.min_epochs = 0;
  inner_->state.min_steps = 0;
  inner_->limits = outer_.limits;
  inner_->requests.drop_all();
  inner_->metrics.reset();
}

void Trial::remember() {
  const at::NoGradGuard no_grad;
  Module& module = *outer_.module;
  for (const StateEntry& entry : module.state_view().entries()) {
    tensors_.emplace_back(entry.tensor, entry.tensor.detach().clone());
    if (entry.mask.defined()) tensors_.emplace_back(entry.mask, entry.mask.clone());
    if (!entry.is_parameter) continue;
    const at::Tensor& gradient = entry.tensor.grad();
    gradients_.emplace_back(entry.tensor, gradient.defined() ? gradient.clone() : at::Tensor());
  }
  modes_ = module.training_modes();
  for (const auto& optimizer : outer_.optimizers) {
    optimizers_.push_back({optimizer->groups(), snapshot(optimizer->state_dict())});
  }
  for (const SchedulerConfig& config : outer_.schedulers) {
    schedulers_.push_back(snapshot(config.scheduler->state_dict()));
  }
  generators_ = generator_states();
  save_hooks();
}

std::vector<CallbackHandle> Trial::listeners() const {
  std::vector<CallbackHandle> listeners;
  for (const CallbackHandle& handle : outer_.callbacks) {
    if (handle.origin == CallbackOrigin::plugin || is_built_in_callback(*handle.callback)) continue;
    listeners.push_back(handle);
  }
  return listeners;
}

void Trial::save_hooks() {
  StateDict states;
  for (const CallbackHandle& handle : listeners()) {
    outer_.hooks.call_for_state(*handle.callback, "state_dict", [&] {
      StateDict own = handle.callback->state_dict();
      if (!own.empty()) states[handle.callback->state_key()] = snapshot(own);
    });
  }
  checkpoint_["callbacks"] = std::move(states);
  if (DataModule* const data = outer_.data.module) {
    StateDict own = snapshot(outer_.in_data("state_dict", [&] { return data->state_dict(); }));
    if (!own.empty()) checkpoint_[data->type_name()] = std::move(own);
  }
  SaveCheckpoint save{outer_.event(), checkpoint_, /*weights_only=*/false};
  for (const CallbackHandle& handle : listeners()) {
    outer_.hooks.call_for_state(*handle.callback, "on_save_checkpoint",
                                [&] { handle.callback->on_save_checkpoint(save); });
  }
  if (outer_.mask.has(Hook::on_save_checkpoint)) {
    outer_.in_module("on_save_checkpoint", [&] { outer_.module->on_save_checkpoint(save); });
  }
}

void Trial::load_hooks() {
  LoadCheckpoint load{outer_.event(), checkpoint_};
  if (outer_.mask.has(Hook::on_load_checkpoint)) {
    outer_.in_module("on_load_checkpoint", [&] { outer_.module->on_load_checkpoint(load); });
  }
  if (DataModule* const data = outer_.data.module) {
    if (const StateValue* own = checkpoint_.find(data->type_name())) {
      outer_.in_data("load_state_dict", [&] { data->load_state_dict(own->to_dict()); });
    }
  }
  if (std::uncaught_exceptions() > exceptions_) return;
  for (const CallbackHandle& handle : listeners()) {
    outer_.hooks.call_for_state(*handle.callback, "on_load_checkpoint",
                                [&] { handle.callback->on_load_checkpoint(load); });
  }
  const StateDict states = checkpoint_.at("callbacks").to_dict();
  for (const CallbackHandle& handle : listeners()) {
    const StateValue* own = states.find(handle.callback->state_key());
    if (own == nullptr) continue;
    outer_.hooks.call_for_state(*handle.callback, "load_state_dict",
                                [&] { handle.callback->load_state_dict(own->to_dict()); });
  }
}

void Trial::put_back() {
  const at::NoGradGuard no_grad;
  put_back_part("the weights", [&] {
    for (auto& [live, saved] : tensors_) live.copy_(saved);
    for (auto& [parameter, gradient] : gradients_) parameter.mutable_grad() = gradient;
  });
  put_back_part("the mode of the layers", [&] { outer_.module->set_training_modes(modes_); });
  for (size_t i = 0; i < optimizers_.size(); ++i) {
    put_back_part("an optimizer", [&] {
      Optimizer& optimizer = *outer_.optimizers[i];
      optimizer.groups() = optimizers_[i].groups;
      optimizer.load_state_dict(optimizers_[i].state);
    });
  }
  for (size_t i = 0; i < schedulers_.size(); ++i) {
    put_back_part("a scheduler",
                  [&] { outer_.schedulers[i].scheduler->load_state_dict(schedulers_[i]); });
  }
  // A scheduler may write the rates that belong to its state: those of the groups are the last
  // word.
  for (size_t i = 0; i < optimizers_.size(); ++i) {
    put_back_part("an optimizer", [&] { outer_.optimizers[i]->groups() = optimizers_[i].groups; });
  }
  put_back_part("the state of the data or of a callback", [&] { load_hooks(); });
  put_back_part("the random generators", [&] { set_generator_states(generators_); });
}

}  // namespace grapnel
