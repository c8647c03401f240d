// Checkpointing's loading half: putting a checkpoint back, in the order of a run.
#include <fmt/format.h>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/checkpoint.h"
#include "model/pruned_weights.h"
#include "model/weights.h"
#include "run/checkpoint_choice.h"
#include "run/checkpointing.h"
#include "run/loops.h"
#include "run/run.h"
#include "values/rng.h"

namespace grapnel {

void Checkpointing::refuse(const std::string& message) const {
  throw CheckpointError(path_, message);
}

void Checkpointing::begin_run() {
  resumable_ = false;
  loaded_.reset();
  path_.clear();
}

void Checkpointing::choose(const RunOptions& options, bool module_given) {
  path_ = choose_checkpoint(run_.trainer, options, module_given);
}

void Checkpointing::read() {
  if (path_.empty()) return;
  log_info("restoring from the checkpoint {}", path_.string());
  loaded_ = load_checkpoint_file(path_);
}

// ---- The module, the data, the callbacks

void Checkpointing::restore_module_and_callbacks() {
  if (!loaded_.has_value()) return;
  LoadCheckpoint load{run_.event(), *loaded_};
  if (run_.mask.has(Hook::on_load_checkpoint)) {
    run_.in_module("on_load_checkpoint", [&] { run_.module->on_load_checkpoint(load); });
  }
  for (const CallbackHandle& handle : run_.callbacks) {
    run_.hooks.call_for_state(*handle.callback, "before_weights_loaded",
                              [&] { handle.callback->before_weights_loaded(load); });
  }
  restore_weights();
  if (DataModule* const data = run_.data.module) {
    if (const StateValue* own = loaded_->find(data->type_name())) {
      run_.in_data("load_state_dict", [&] { data->load_state_dict(own->to_dict()); });
    }
  }
  const StateValue* states = loaded_->find("callbacks");
  if (states == nullptr) return;
  callback_states_.sort_out_absent(states->to_dict());
  // The module has had its turn, before the weights.
  run_.hooks.set_module(nullptr, {});
  run_.hooks.on_load_checkpoint(load);
  run_.hooks.set_module(run_.module, run_.mask);
  callback_states_.load(states->to_dict());
}

void Checkpointing::restore_weights() {
  const StateDict& weights = loaded_->at("state_dict").to_dict();
  try {
    WeightLoad(*run_.module, run_.weight_leases, weights, run_.module->strict_loading).apply();
  } catch (const Error& error) {
    refuse(error.what());
  }
}

// ---- The training

void Checkpointing::restore_training() {
  const bool fitting = run_.fitting();
  if (loaded_.has_value() && fitting) {
    restore_progress();
    restore_optimizers();
  }
  if (loaded_.has_value()) {
    if (fitting) restore_exactly();
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
}

void Checkpointing::restore_progress() {
  RunState& state = run_.state;
  if (const StateValue* own = loaded_->find("MixedPrecision");
      own != nullptr && run_.scaler != nullptr) {
    run_.scaler->load_state_dict(own->to_dict());
  }
  // First the counters: the weights and the callbacks' states are those of the checkpoint by now,
  // and an error here must not leave counters of another time with them.
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
  if (const StateValue* rng = loaded_->find("rng")) set_generator_states(rng->to_dict());
}

// What Lightning's checkpoints lack.
void Checkpointing::restore_exactly() {
  const StateValue* exact = loaded_->find("exact_resume");
  if (exact == nullptr) return;
  const StateDict& parts = exact->to_dict();
  run_.metrics.load_state(parts);
  if (const StateValue* once = parts.find("called_once")) {
    run_.hooks.set_called_once(once->to_dict());
  }
  run_.loggers.load_states(parts.at("loggers").to_list());
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
