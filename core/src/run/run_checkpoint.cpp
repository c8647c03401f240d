// What a checkpoint holds, and putting it back.
//
// A file is read and checked as a whole before anything changes, and so are names and shapes of all
// weights before the first is copied. What depends on the run's own optimizers comes later, after
// configure_optimizers, when the weights, the callbacks and the counters are those of the checkpoint
// already. Weights are converted to the model's types. Schedulers are matched by their places, and one
// that has no partner stays as it was made, as in Lightning.
//
// Beyond what Lightning keeps there are the random generators, the gradients of a partly filled
// accumulation window, what the epoch's metrics have accumulated, and the loggers' positions: with these
// a resumed run ends with the same bits as one that was never stopped.
//
// A batch in whose middle a checkpoint is written is done again by the resumed run, with the random
// numbers that come next; what it had logged for the epoch counts twice. When gradients of it are
// there already, which can't be told from those of the batches before, the resumed run does all
// batches of the accumulation window again.
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/callbacks/checkpoint.h"
#include "grapnel/checkpoint.h"
#include "grapnel/version.h"
#include "model/pruned_weights.h"
#include "run/evaluation_loop.h"
#include "run/fit_loop.h"
#include "run/progress_state.h"
#include "run/run.h"
#include "values/rng.h"

namespace grapnel {

namespace {

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& message) {
  throw CheckpointError(path, message);
}

std::string shape_text(const at::Tensor& tensor) {
  return fmt::format("[{}]", fmt::join(tensor.sizes(), ", "));
}

// A callback's own state in a checkpoint, under its key or a former one; nullptr: none.
const StateValue* state_of(const Callback& callback, const StateDict& states) {
  if (const StateValue* own = states.find(callback.state_key())) return own;
  for (const std::string& former : callback.former_state_keys()) {
    if (const StateValue* own = states.find(former)) return own;
  }
  return nullptr;
}

}  // namespace

bool Run::call_for_state(const CallbackHandle& handle, std::string_view name,
                         const std::function<void()>& call) {
  return hooks.call_for_state(*handle.callback, name, call);
}

StateDict Run::callback_states() {
  StateDict states;
  for (const CallbackHandle& handle : callbacks) {
    const std::string key = handle.callback->state_key();
    StateDict own;
    if (call_for_state(handle, "state_dict", [&] { own = handle.callback->state_dict(); })) {
      if (handle.on_error == OnError::disable && !own.empty()) last_states[key] = snapshot(own);
    } else if (const StateValue* last = last_states.find(key)) {
      own = last->to_dict();
    }
    if (!own.empty()) states[key] = std::move(own);
  }
  for (const auto& [key, kept] : kept_states) {
    if (!states.contains(key)) states[key] = kept;
  }
  return states;
}

StateDict Run::dump_checkpoint(bool weights_only) {
  if (module == nullptr) {
    throw ConfigError({},
                      "there is nothing to save before the first fit, validate, test or predict");
  }
  StateDict checkpoint;
  checkpoint["epoch"] = current_epoch();
  checkpoint["global_step"] = global_step();
  checkpoint["grapnel_version"] = std::string(version_string());

  StateDict weights;
  StateDict leased;
  for (const SavedTensor& saved : saved_tensors(module->state_view())) {
    if (!saved.persistent) continue;
    weights[saved.name] = weight_leases.training(saved.tensor);
    const at::Tensor replacement = weight_leases.replacement(saved.tensor);
    if (replacement.defined()) leased[saved.name] = replacement.detach();
  }
  checkpoint["state_dict"] = std::move(weights);
  if (!leased.empty()) checkpoint["leased_state_dict"] = std::move(leased);
  RunState saved = state;
  if (gradients_of_batch) {
    saved.batch.current.completed = state.window_start;
    saved.window_start = -1;
  }
  checkpoint["loops"] = progress_state(saved);
  if (!weights_only) {
    checkpoint["callbacks"] = callback_states();
    StateList optimizer_states;
    for (const auto& optimizer : optimizers) optimizer_states.emplace_back(optimizer->state_dict());
    checkpoint["optimizer_states"] = std::move(optimizer_states);
    StateList scheduler_states;
    for (const SchedulerConfig& config : schedulers) {
      scheduler_states.emplace_back(config.scheduler->state_dict());
    }
    checkpoint["lr_schedulers"] = std::move(scheduler_states);
    if (scaler != nullptr) checkpoint["MixedPrecision"] = scaler->state_dict();
    checkpoint["rng"] = generator_states();
    StateDict exact;
    if (fitting() && saved.window_start >= 0) {
      StateDict gradients;
      for (const StateEntry& entry : module->state_view().parameters()) {
        if (entry.tensor.grad().defined()) gradients[entry.name] = entry.tensor.grad().detach();
      }
      exact["gradients"] = std::move(gradients);
    }
    exact["metrics"] = train_metrics.state_dict();
    StateDict visible;
    for (const MetricDict::Entry& entry : views().callback) {
      visible[entry.name] = StateList{entry.value.number(), entry.global_step};
    }
    exact["visible_metrics"] = std::move(visible);
    StateList logger_states;
    for (const auto& logger : options.loggers) logger_states.emplace_back(logger->state_dict());
    exact["loggers"] = std::move(logger_states);
    StateDict once = hooks.called_once();
    if (!once.empty()) exact["called_once"] = std::move(once);
    checkpoint["exact_resume"] = std::move(exact);
  }
  if (!module->hyper_parameters.empty()) checkpoint["hyper_parameters"] = module->hyper_parameters;
  if (data.module != nullptr) {
    if (!data.module->hyper_parameters.empty()) {
      checkpoint["datamodule_hyper_parameters"] = data.module->hyper_parameters;
    }
    StateDict own = in_module("state_dict", [&] { return data.module->state_dict(); });
    if (!own.empty()) checkpoint[data.module->type_name()] = std::move(own);
  }
  SaveCheckpoint save{event(), checkpoint, weights_only};
  if (!weights_only) {
    hooks.on_save_checkpoint(save);
    return checkpoint;
  }
  for (const CallbackHandle& handle : callbacks) {
    if (!handle.callback->edits_weights()) continue;
    hooks.call_for_state(*handle.callback, "on_save_checkpoint",
                         [&] { handle.callback->on_save_checkpoint(save); });
  }
  if (mask.has(Hook::on_save_checkpoint)) {
    in_module("on_save_checkpoint", [&] { module->on_save_checkpoint(save); });
  }
  return checkpoint;
}

void Run::save_checkpoint(const std::filesystem::path& path, bool weights_only) {
  create_parent_directories(path);
  save_checkpoint_file(path, dump_checkpoint(weights_only));
  CheckpointWritten event{this->event(), path};
  hooks.on_checkpoint_written(event);
}

std::filesystem::path Run::select_checkpoint(const RunOptions& run_options, bool module_given) {
  std::string choice = run_options.ckpt_path;
  const std::string name(to_string(state.kind));
  std::vector<Checkpoint*> writers;
  bool resumes_by_itself = false;
  for (const CallbackHandle& handle : callbacks) {
    if (auto* writer = dynamic_cast<Checkpoint*>(handle.callback.get())) {
      writers.push_back(writer);
      resumes_by_itself = resumes_by_itself || writer->resumes_by_itself();
    }
  }
  if (choice.empty() && fitting() && resumes_by_itself) choice = "last";
  if (choice.empty() && module_given) return {};
  if (choice.empty()) {
    choice = "best";
    log_warning(
        "{0} was called without a module and without a checkpoint; the best checkpoint of the "
        "last fit is used. Say ckpt_path=\"best\" or \"last\" to choose",
        name);
  }
  if (choice == "best") {
    if (writers.size() > 1) {
      std::vector<std::string> types;
      for (const Checkpoint* writer : writers) types.push_back(writer->type_name());
      log_warning(
          "{}(ckpt_path=\"best\") with several checkpoint callbacks ({}): the best of the first "
          "one is used",
          name, fmt::join(types, ", "));
    }
    if (writers.empty()) {
      throw ConfigError({},
                        fmt::format("{}(ckpt_path=\"best\") needs a ModelCheckpoint among the "
                                    "callbacks, and there is none; add one or give a path",
                                    name),
                        "ckpt_path");
    }
    const auto best = writers.front()->best_checkpoint();
    if (best.empty()) {
      throw ConfigError(
          {},
          fmt::format("{}(ckpt_path=\"best\"): {}; give the path of a checkpoint", name,
                      options.fast_dev_run != 0 ? "with fast_dev_run no checkpoint is written"
                                                : "the ModelCheckpoint has not saved a best model"),
          "ckpt_path");
    }
    return best;
  }
  if (choice != "last") return choice;

  std::filesystem::path newest;
  std::filesystem::file_time_type newest_time{};
  for (const Checkpoint* writer : writers) {
    for (const auto& candidate : writer->last_checkpoints(trainer)) {
      std::error_code error;
      const auto time = std::filesystem::last_write_time(candidate, error);
      if (error || (!newest.empty() && time <= newest_time)) continue;
      newest = candidate;
      newest_time = time;
    }
  }
  if (newest.empty()) {
    log_warning(
        "{}(ckpt_path=\"last\"): there is no last checkpoint yet, nothing is loaded; "
        "ModelCheckpoint's save_last=true writes one",
        name);
  }
  return newest;
}

void Run::load_checkpoint(const std::filesystem::path& path) {
  log_info("restoring from the checkpoint {}", path.string());
  loaded = load_checkpoint_file(path);
}

void Run::restore_module_and_callbacks() {
  if (!loaded.has_value()) return;
  LoadCheckpoint load{event(), *loaded};
  if (mask.has(Hook::on_load_checkpoint)) {
    in_module("on_load_checkpoint", [&] { module->on_load_checkpoint(load); });
  }

  for (const CallbackHandle& handle : callbacks) {
    hooks.call_for_state(*handle.callback, "before_weights_loaded",
                         [&] { handle.callback->before_weights_loaded(load); });
  }

  // The weights: all are checked before the first is copied.
  const StateDict& weights = loaded->at("state_dict").to_dict();
  std::vector<std::pair<at::Tensor, at::Tensor>> copies;
  std::vector<std::string> missing;
  std::set<std::string> expected;
  for (const auto& [name, live, persistent] : saved_tensors(module->state_view())) {
    expected.insert(name);
    if (!persistent) continue;
    const StateValue* saved = weights.find(name);
    if (saved == nullptr) {
      missing.push_back(name);
      continue;
    }
    const at::Tensor& tensor = saved->to_tensor();
    if (tensor.sizes() != live.sizes()) {
      refuse(checkpoint_path,
             fmt::format("'{}' has shape {} in the checkpoint, but {} in the model", name,
                         shape_text(tensor), shape_text(live)));
    }
    copies.emplace_back(live, tensor);
  }
  if (module->strict_loading && (!missing.empty() || copies.size() != weights.size())) {
    std::vector<std::string> unexpected;
    for (const auto& [name, value] : weights) {
      if (!expected.contains(name)) unexpected.push_back(name);
    }
    refuse(
        checkpoint_path,
        fmt::format("its weights are not those of {}: missing {}; unexpected {}. Use the model it "
                    "was written with, or set strict_loading = false in the module",
                    module->type_name(), missing.empty() ? "none" : join(missing, ", "),
                    unexpected.empty() ? "none" : join(unexpected, ", ")));
  }
  {
    at::NoGradGuard no_grad;
    for (auto& [live, saved] : copies) live.copy_(saved);
  }

  if (data.module != nullptr) {
    if (const StateValue* own = loaded->find(data.module->type_name())) {
      in_module("load_state_dict", [&] { data.module->load_state_dict(own->to_dict()); });
    }
  }
  const StateValue* states = loaded->find("callbacks");
  if (states == nullptr) return;
  sort_out_absent_states(states->to_dict());
  // The module has had its turn, before the weights.
  hooks.set_module(nullptr, {});
  hooks.on_load_checkpoint(load);
  hooks.set_module(module, mask);
  load_callback_states(states->to_dict());
}

void Run::load_callback_states(const StateDict& states) {
  for (const CallbackHandle& handle : callbacks) {
    const StateValue* own = state_of(*handle.callback, states);
    if (own == nullptr || own->to_dict().empty()) continue;
    if (handle.on_error == OnError::disable) last_states[handle.callback->state_key()] = *own;
    call_for_state(handle, "load_state_dict",
                   [&] { handle.callback->load_state_dict(own->to_dict()); });
  }
}

// States of callbacks that are not here: those that ask for it are kept, the others are named.
void Run::sort_out_absent_states(const StateDict& states) {
  std::vector<const StateValue*> taken;
  for (const CallbackHandle& handle : callbacks) {
    taken.push_back(state_of(*handle.callback, states));
  }
  std::vector<std::string> unknown;
  for (const auto& [key, value] : states) {
    if (std::find(taken.begin(), taken.end(), &value) != taken.end()) continue;
    const StateValue* keep = value.to_dict().find("keep_if_absent");
    if (keep != nullptr && keep->is_bool() && keep->to_bool()) {
      kept_states[key] = value;
      log_warning(
          "the checkpoint has the state of '{}', which is not here now; it is kept and "
          "written again in the next checkpoint",
          key);
    } else {
      unknown.push_back(key);
    }
  }
  if (!unknown.empty()) {
    log_warning(
        "the checkpoint has the state of callbacks that are not here now, add them to restore "
        "it: {}",
        fmt::join(unknown, ", "));
  }
}

void Run::restore_training_state() {
  if (!loaded.has_value() || !fitting()) return;
  if (const StateValue* own = loaded->find("MixedPrecision"); own != nullptr && scaler != nullptr) {
    scaler->load_state_dict(own->to_dict());
  }
  // First the counters: the weights and the callbacks' states are those of the checkpoint by now, and
  // what ends the run here must not leave counters of another time beside them.
  if (const StateValue* loops = loaded->find("loops")) {
    load_progress(loops->to_dict(), state);
    fit->restart_from_checkpoint();
  }
  if (state.max_epochs != -1 && state.epoch.current.completed > state.max_epochs) {
    refuse(
        checkpoint_path,
        fmt::format("it was written in epoch {}, but max_epochs={} ends the training before that; "
                    "raise max_epochs",
                    state.epoch.current.completed, state.max_epochs));
  }
  const StateValue* optimizer_states = loaded->find("optimizer_states");
  const StateValue* scheduler_states = loaded->find("lr_schedulers");
  if (optimizer_states == nullptr || scheduler_states == nullptr) {
    refuse(checkpoint_path,
           "it holds only the model's weights, so a training can't go on from it; it "
           "was saved with ModelCheckpoint's save_weights_only=true, or by save_checkpoint so");
  }
  if (optimizer_states->to_list().size() != optimizers.size()) {
    refuse(checkpoint_path, fmt::format("it has the state of {} optimizers, but the module made {}",
                                        optimizer_states->to_list().size(), optimizers.size()));
  }
  for (size_t i = 0; i < optimizers.size(); ++i) {
    optimizers[i]->load_state_dict(optimizer_states->to_list()[i].to_dict());
  }
  const StateList& lr = scheduler_states->to_list();
  for (size_t i = 0; i < schedulers.size() && i < lr.size(); ++i) {
    schedulers[i].scheduler->load_state_dict(lr[i].to_dict());
  }
  if (const StateValue* rng = loaded->find("rng")) set_generator_states(rng->to_dict());
}

void Run::finish_restore() {
  if (!loaded.has_value()) return;
  if (const StateValue* exact = fitting() ? loaded->find("exact_resume") : nullptr) {
    const StateDict& parts = exact->to_dict();
    train_metrics.load_state_dict(parts.at("metrics").to_dict());
    for (const auto& [name, value] : parts.at("visible_metrics").to_dict()) {
      const StateList& pair = value.to_list();
      metric_views.callback.set(name, pair.at(0).to_double(), pair.at(1).to_int());
    }
    if (const StateValue* once = parts.find("called_once")) hooks.set_called_once(once->to_dict());
    const StateList& positions = parts.at("loggers").to_list();
    for (size_t i = 0; i < options.loggers.size() && i < positions.size(); ++i) {
      if (!positions[i].to_dict().empty()) {
        options.loggers[i]->load_state_dict(positions[i].to_dict());
      }
    }
  }
  log_info("{} {}",
           fitting() ? "going on from the checkpoint" : "using the weights of the checkpoint",
           checkpoint_path.string());
  if (!fitting()) loaded.reset();  // an evaluation needs its memory
}

// Gradients of the window that the checkpoint interrupted; after the run has cleared the others.
void Run::restore_gradients() {
  if (!loaded.has_value() || !fitting()) return;
  const StateValue* exact = loaded->find("exact_resume");
  const StateValue* gradients = exact == nullptr ? nullptr : exact->to_dict().find("gradients");
  if (gradients != nullptr) {
    for (const StateEntry& entry : module->state_view().parameters()) {
      const auto saved = find_weight(gradients->to_dict(), entry.name);
      if (!saved || saved->tensor.sizes() != entry.tensor.sizes()) continue;
      entry.tensor.mutable_grad() = saved->tensor.to(entry.tensor.options()).clone();
    }
  }
  loaded.reset();
}

}  // namespace grapnel
