// Checkpointing's loading half: putting a checkpoint back, in the order of a run.
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <string_view>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/checkpoint.h"
#include "model/pruned_weights.h"
#include "model/weights.h"
#include "run/checkpoint_choice.h"
#include "run/checkpointing.h"
#include "run/loops.h"
#include "run/run.h"
#include "values/exception_text.h"
#include "values/rng.h"
#include "values/state_error.h"

namespace grapnel {

void Checkpointing::refuse(const std::string& message) const {
  throw CheckpointError(path_, message);
}

void Checkpointing::with_path(const std::function<void()>& part) const {
  try {
    part();
  } catch (const StateError& error) {
    const std::string place = loaded_.has_value() ? place_of(*loaded_, error.where) : "";
    refuse(place.empty() ? error.detail : fmt::format("{}: {}", quote(place), error.detail));
  } catch (const CheckpointError& error) {
    if (!error.path.empty()) throw;
    constexpr std::string_view kWithoutPath = "checkpoint: ";
    std::string_view what = error.what();
    if (what.starts_with(kWithoutPath)) what.remove_prefix(kWithoutPath.size());
    refuse(std::string(what));
  }
}

void Checkpointing::or_undo(const std::function<void()>& part) {
  try {
    with_path(part);
  } catch (...) {
    undo_restored();
    throw;
  }
}

void Checkpointing::undo_restored() noexcept {
  try {
    const at::NoGradGuard no_grad;
    for (const auto& [live, before] : replaced_.weights) live.copy_(before);
    if (replaced_.progress.has_value()) undo_progress();
    callback_states_.load_back();
    undo_data_module();
  } catch (const std::exception& error) {
    log_error("after the refused checkpoint, not all could be put back: {}", exception_text(error));
  }
  forget_replaced();
}

void Checkpointing::undo_data_module() {
  if (!replaced_.data_loaded) return;
  DataModule& data = *run_.data.module;
  if (replaced_.data.has_value()) {
    return run_.in_data("load_state_dict", [&] { data.load_state_dict(*replaced_.data); });
  }
  log_warning(
      "{} keeps the state of the checkpoint that was refused: the one before is not known "
      "(DataModule::gives_back_state)",
      data.type_name());
}

Checkpointing::TrainerProgress Checkpointing::present_progress() const {
  TrainerProgress progress{.state = run_.state,
                           .validation_schedule = run_.loops->fit.validation_schedule(),
                           .filter_times = run_.hooks.filter_times(),
                           .called_once = run_.hooks.called_once(),
                           .generators = generator_states()};
  if (run_.scaler != nullptr) progress.scaler = run_.scaler->state_dict();
  return progress;
}

void Checkpointing::undo_progress() {
  const TrainerProgress& before = *replaced_.progress;
  run_.loops->fit.undo_load(before.validation_schedule);
  run_.state = before.state;
  run_.hooks.set_filter_times(&before.filter_times);
  run_.hooks.set_called_once(before.called_once);
  set_generator_states(before.generators);
  if (before.scaler.has_value()) run_.scaler->load_state_dict(*before.scaler);
}

void Checkpointing::forget_replaced() {
  replaced_ = {};
  callback_states_.forget_present();
}

void Checkpointing::begin_run() {
  resumable_ = false;
  forget_file();
  path_.clear();
}

void Checkpointing::forget_file() {
  loaded_.reset();
  forget_replaced();
}

void Checkpointing::choose(const RunOptions& options, bool module_given) {
  path_ = choose_checkpoint(run_.trainer, options, module_given);
}

void Checkpointing::read() {
  if (path_.empty()) return;
  log_info("restoring from the checkpoint {}", path_.string());
  loaded_ = load_checkpoint_file(path_);
}

bool Checkpointing::continues_epoch() const {
  const StateValue* loops = loaded_.has_value() ? loaded_->find("loops") : nullptr;
  if (loops == nullptr) return false;
  const StateValue* saved = loops->to_dict().at("fit_loop").to_dict().find("resume_point");
  if (saved == nullptr) return false;
  const StateDict& point = saved->to_dict();
  if (point.at("epoch_cut_short").to_bool()) return true;
  const std::string& phase = point.at("phase").to_string();
  for (auto each = static_cast<int32_t>(FitPhase::epoch_start);
       each < static_cast<int32_t>(FitPhase::epoch_end); ++each) {
    if (to_string(static_cast<FitPhase>(each)) == phase) return true;
  }
  return false;
}

bool Checkpointing::holds_stop_of(const Callback& callback) const {
  const StateValue* loops = loaded_.has_value() ? loaded_->find("loops") : nullptr;
  if (loops == nullptr) return false;
  const StateValue* requests = loops->to_dict().at("fit_loop").to_dict().find("requests");
  const StateValue* stop = requests == nullptr ? nullptr : requests->to_dict().find("stop");
  if (stop == nullptr) return false;
  const std::string author = callback.name().empty() ? callback.type_name() : callback.name();
  return stop->to_dict().at("author").to_string() == author;
}

// ---- The module, the data, the callbacks

void Checkpointing::restore_module_and_callbacks() {
  if (!loaded_.has_value()) return;
  or_undo([&] {
    LoadCheckpoint load{run_.event(), *loaded_};
    if (run_.mask.has(Hook::on_load_checkpoint)) {
      run_.in_module("on_load_checkpoint", [&] { run_.module->on_load_checkpoint(load); });
    }
    for (const CallbackHandle& handle : run_.callbacks) {
      run_.hooks.call_for_state(*handle.callback, "before_weights_loaded",
                                [&] { handle.callback->before_weights_loaded(load); });
    }
    restore_weights();
    restore_data_module();
    restore_callbacks(load);
  });
  // In the module by now, or beside it to be put back.
  if (run_.fitting()) loaded_->erase("state_dict");
}

void Checkpointing::restore_weights() {
  const StateDict& weights = loaded_->at("state_dict").to_dict();
  try {
    const WeightLoad load(*run_.module, run_.weight_leases, weights, run_.module->strict_loading);
    replaced_.weights = load.present();
    load.apply();
  } catch (const Error& error) {
    refuse(error.what());
  }
}

bool Checkpointing::keeps_training_state() const {
  return trained_ && !run_.fitting();
}

void Checkpointing::restore_data_module() {
  DataModule* const data = run_.data.module;
  if (data == nullptr || (keeps_training_state() && data == trained_data_)) return;
  const StateValue* own = loaded_->find(data->type_name());
  if (own == nullptr) return;
  if (trained_ || data->gives_back_state()) {
    replaced_.data = snapshot(run_.in_data("state_dict", [&] { return data->state_dict(); }));
  }
  run_.in_data("load_state_dict", [&] { data->load_state_dict(own->to_dict()); });
  replaced_.data_loaded = true;
}

void Checkpointing::restore_callbacks(LoadCheckpoint& load) {
  const StateValue* states = loaded_->find("callbacks");
  if (states == nullptr) return;
  const bool keeps = keeps_training_state();
  if (!keeps) {
    callback_states_.note_present(states->to_dict(), /*all_give=*/trained_);
    callback_states_.sort_out_absent(states->to_dict());
  }
  // The module has had its turn, before the weights.
  run_.hooks.set_module(nullptr, {});
  run_.hooks.on_load_checkpoint(load);
  run_.hooks.set_module(run_.module, run_.mask);
  if (!keeps) callback_states_.load(states->to_dict());
}

// ---- The training

void Checkpointing::begin_optimizers() {
  resumable_ = path_.empty();
  options_.note_configured(run_.optimizers, run_.schedulers);
  if (!loaded_.has_value()) return;
  or_undo([&] {
    const StateValue* saved = loaded_->find("optimizer_states");
    if (saved == nullptr) return;  // refused when the training is restored
    check_optimizer_types();
    const StateValue* exact = loaded_->find("exact_resume");
    const StateValue* configured = exact == nullptr ? nullptr : exact->to_dict().find("configured");
    options_.begin(run_.optimizers, run_.schedulers, saved->to_list(),
                   configured == nullptr ? nullptr : &configured->to_dict());
    if (exact != nullptr) tell_other_precision(exact->to_dict());
  });
}

void Checkpointing::tell_other_precision(const StateDict& exact) const {
  const StateValue* saved = exact.find("precision");  // not in files of earlier versions
  if (saved == nullptr || !saved->is_string()) return;
  const std::string own(to_string(run_.options.precision));
  if (saved->to_string() == own) return;
  log_warning(
      "the training of the checkpoint had precision=\"{}\", this fit continues with \"{}\": its "
      "numbers are no longer those of a training that was never stopped",
      printable(saved->to_string()), own);
}

// Known without what callbacks may add to the optimizers in on_fit_start.
void Checkpointing::check_optimizer_types() const {
  const StateList& saved = loaded_->at("optimizer_states").to_list();
  for (size_t i = 0; i < saved.size() && i < run_.optimizers.size(); ++i) {
    const StateValue* type = saved[i].to_dict().find("type");
    const std::string own = run_.optimizers[i]->type_name();
    if (type == nullptr || type->to_string() == own) continue;
    refuse(
        fmt::format("the state of optimizer {} doesn't fit: it was written by {}; resume with "
                    "that optimizer, or begin a new training from the weights alone",
                    own, type->to_string()));
  }
}

void Checkpointing::call_fit_start(const std::function<void()>& hook) {
  if (!loaded_.has_value()) return hook();
  try {
    with_path(hook);
  } catch (const CheckpointError&) {
    undo_restored();
    throw;
  }
}

void Checkpointing::restore_training() {
  const bool fitting = run_.fitting();
  if (loaded_.has_value() && fitting) {
    options_.note_changes(run_.optimizers);
    replaced_.progress = present_progress();
    or_undo([&] {
      restore_optimizers();
      options_.finish(run_.optimizers);
      restore_progress();
      restore_exactly();
    });
  }
  forget_replaced();
  if (loaded_.has_value()) {
    log_info("{} {}",
             fitting ? "resuming from the checkpoint" : "using the weights of the checkpoint",
             path_.string());
  }
  for (const StateEntry& entry : run_.module->state_view().parameters()) {
    entry.tensor.mutable_grad().reset();
  }
  if (loaded_.has_value() && fitting) {
    if (const StateValue* exact = loaded_->find("exact_resume")) {
      restore_gradients(exact->to_dict());
    }
  }
  loaded_.reset();  // the run needs its memory
  resumable_ = fitting;
  if (!fitting) return;
  trained_ = true;
  trained_data_ = run_.data.module;
}

// The optimizers and schedulers are this run's own: a state that is refused leaves nothing behind
// in what outlives it.
void Checkpointing::restore_optimizers() {
  const StateValue* optimizers = loaded_->find("optimizer_states");
  const StateValue* schedulers = loaded_->find("lr_schedulers");
  if (optimizers == nullptr || schedulers == nullptr) {
    refuse(
        "it holds only the model's weights, so a training can't resume from it; it was saved with "
        "weights only (ModelCheckpoint's save_weights_only=true, or save_checkpoint)");
  }
  const StateList& saved = optimizers->to_list();
  if (saved.size() != run_.optimizers.size()) {
    refuse(fmt::format("it has the state of {} optimizers, but the module made {}", saved.size(),
                       run_.optimizers.size()));
  }
  for (size_t i = 0; i < saved.size(); ++i) {
    run_.optimizers[i]->load_state_dict(saved[i].to_dict());
  }
  const StateList& rates = schedulers->to_list();
  for (size_t i = 0; i < run_.schedulers.size() && i < rates.size(); ++i) {
    run_.schedulers[i].scheduler->load_state_dict(rates[i].to_dict());
  }
  if (const StateValue* own = loaded_->find("MixedPrecision");
      own != nullptr && run_.scaler != nullptr) {
    run_.scaler->load_state_dict(own->to_dict());
  }
  if (const StateValue* rng = loaded_->find("rng")) set_generator_states(rng->to_dict());
}

void Checkpointing::restore_progress() {
  RunState& state = run_.state;
  if (const StateValue* loops = loaded_->find("loops")) {
    run_.loops->fit.load_state_dict(loops->to_dict(), path_);
  }
  if (state.max_epochs != -1 && state.epoch.current.completed > state.max_epochs) {
    refuse(
        fmt::format("it was written in epoch {}, but max_epochs={} ends the training before "
                    "that; raise max_epochs",
                    state.epoch.current.completed, state.max_epochs));
  }
}

// What Lightning's checkpoints lack.
void Checkpointing::restore_exactly() {
  const StateValue* exact = loaded_->find("exact_resume");
  if (exact == nullptr) return;
  const StateDict& parts = exact->to_dict();
  if (const StateValue* data = parts.find("data")) {
    run_.loops->fit.set_former_unit(DataUnit::from_state(data->to_dict()));
  }
  run_.metrics.load_state(parts);
  if (const StateValue* once = parts.find("called_once")) {
    run_.hooks.set_called_once(once->to_dict());
  }
  const StateValue* const identities = parts.find("logger_identities");
  run_.loggers.load_states(parts.at("loggers").to_list(),
                           identities != nullptr ? &identities->to_list() : nullptr);
}

// Gradients of the window that the checkpoint interrupted; after the run has cleared the others.
void Checkpointing::restore_gradients(const StateDict& exact) {
  const StateValue* gradients = exact.find("gradients");
  if (gradients == nullptr) return;
  for (const StateEntry& entry : run_.module->state_view().parameters()) {
    const auto saved = find_weight(gradients->to_dict(), entry.name);
    if (!saved || saved->tensor.sizes() != entry.tensor.sizes()) continue;
    entry.tensor.mutable_grad() = saved->tensor.to(entry.tensor.options()).clone();
  }
}

}  // namespace grapnel
