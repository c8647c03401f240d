// Checkpointing's writing half: gathering what a checkpoint holds.
#include "grapnel/base/error.h"
#include "grapnel/version.h"
#include "model/pruned_weights.h"
#include "model/weights.h"
#include "run/checkpointing.h"
#include "run/loops.h"
#include "run/parts.h"
#include "run/run.h"
#include "values/rng.h"

namespace grapnel {

Checkpointing::Checkpointing(Run& run) : run_(run), callback_states_(run.callbacks, run.hooks) {}

StateDict Checkpointing::dump(bool weights_only) {
  if (run_.module == nullptr) {
    throw ConfigError({},
                      "there is nothing to save before the first fit, validate, test or predict");
  }
  const RepeatedPart part(run_.fitting() ? run_.loops->fit.repeated_part() : 0);
  StateDict checkpoint;
  checkpoint["epoch"] = run_.current_epoch();
  checkpoint["global_step"] = run_.global_step();
  checkpoint["grapnel_version"] = std::string(version_string());
  dump_weights(checkpoint);
  checkpoint["loops"] = run_.loops->fit.state_dict();
  if (!weights_only) dump_training(checkpoint);
  if (!run_.module->hyper_parameters.empty()) {
    checkpoint["hyper_parameters"] = run_.module->hyper_parameters;
  }
  dump_data(checkpoint);
  call_on_save(checkpoint, weights_only);
  return checkpoint;
}

void Checkpointing::dump_weights(StateDict& checkpoint) const {
  checkpoint["state_dict"] = weights_of(*run_.module, run_.weight_leases);
  StateDict leased;
  for (const SavedTensor& saved : saved_tensors(run_.module->state_view())) {
    if (!saved.persistent) continue;
    const at::Tensor replacement = run_.weight_leases.replacement(saved.tensor);
    if (replacement.defined()) leased[saved.name] = replacement.detach();
  }
  if (!leased.empty()) checkpoint["leased_state_dict"] = std::move(leased);
}

void Checkpointing::dump_training(StateDict& checkpoint) {
  checkpoint["callbacks"] = callback_states_.save();
  StateList optimizers;
  for (const auto& optimizer : run_.optimizers) optimizers.emplace_back(optimizer->state_dict());
  checkpoint["optimizer_states"] = std::move(optimizers);
  StateList schedulers;
  for (const SchedulerConfig& config : run_.schedulers) {
    schedulers.emplace_back(config.scheduler->state_dict());
  }
  checkpoint["lr_schedulers"] = std::move(schedulers);
  if (run_.scaler != nullptr) checkpoint["MixedPrecision"] = run_.scaler->state_dict();
  checkpoint["rng"] = run_.fitting() ? run_.loops->fit.generators_to_save() : generator_states();
  checkpoint["exact_resume"] = dump_exact();
}

StateDict Checkpointing::dump_exact() {
  StateDict exact;
  if (run_.fitting() && run_.loops->fit.keeps_gradients()) {
    StateDict gradients;
    for (const StateEntry& entry : run_.module->state_view().parameters()) {
      if (entry.tensor.grad().defined()) gradients[entry.name] = entry.tensor.grad().detach();
    }
    exact["gradients"] = std::move(gradients);
  }
  if (const auto unit = run_.loops->fit.data_unit()) exact["data"] = unit->state();
  if (!options_.configured().empty()) exact["configured"] = options_.configured();
  exact["precision"] = std::string(to_string(run_.options.precision));
  run_.metrics.save_state(exact, run_.fitting() && run_.loops->fit.repeats_batch());
  exact["loggers"] = run_.loggers.states();
  exact["logger_identities"] = run_.loggers.identities();
  StateDict once = run_.hooks.called_once();
  if (!once.empty()) exact["called_once"] = std::move(once);
  return exact;
}

void Checkpointing::dump_data(StateDict& checkpoint) {
  DataModule* const data = run_.data.module;
  if (data == nullptr) return;
  if (!data->hyper_parameters.empty()) {
    checkpoint["datamodule_hyper_parameters"] = data->hyper_parameters;
  }
  StateDict own = run_.in_data("state_dict", [&] { return data->state_dict(); });
  if (!own.empty()) checkpoint[data->type_name()] = std::move(own);
}

// on_save_checkpoint; for a file of weights only, of the callbacks that edit them.
void Checkpointing::call_on_save(StateDict& checkpoint, bool weights_only) {
  SaveCheckpoint save{run_.event(), checkpoint, weights_only};
  if (!weights_only) {
    run_.hooks.on_save_checkpoint(save);
    return;
  }
  for (const CallbackHandle& handle : run_.callbacks) {
    if (!handle.callback->edits_weights()) continue;
    run_.hooks.call_for_state(*handle.callback, "on_save_checkpoint",
                              [&] { handle.callback->on_save_checkpoint(save); });
  }
  if (run_.mask.has(Hook::on_save_checkpoint)) {
    run_.in_module("on_save_checkpoint", [&] { run_.module->on_save_checkpoint(save); });
  }
}

}  // namespace grapnel
