// The end state of each ready callback. One function each; a new callback is one more of them and its
// line in the table.
#include <grapnel/callbacks/backbone_finetuning.h>
#include <grapnel/callbacks/batch_size_finder.h>
#include <grapnel/callbacks/early_stopping.h>
#include <grapnel/callbacks/gradient_accumulation_scheduler.h>
#include <grapnel/callbacks/learning_rate_finder.h>
#include <grapnel/callbacks/learning_rate_monitor.h>
#include <grapnel/callbacks/model_checkpoint.h>
#include <grapnel/callbacks/model_pruning.h>
#include <grapnel/callbacks/on_exception_checkpoint.h>
#include <grapnel/callbacks/spike_detection.h>
#include <grapnel/callbacks/stochastic_weight_averaging.h>
#include <grapnel/callbacks/timer.h>
#include <grapnel/callbacks/weight_averaging.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "callbacks/trace.h"
#include "observe/observe.h"
#include "state_json.h"

namespace grapnel::oracle {
namespace {

Json maybe(const std::optional<double>& value) {
  return value ? number(*value) : Json();
}

void see(const EarlyStopping& callback, Json& out) {
  out.set("wait_count", callback.wait_count());
  out.set("stopped_epoch", callback.stopped_epoch());
  out.set("best_score", number(callback.best_score()));
  out.set("patience", callback.patience());
  const auto& message = callback.stopping_reason_message();
  out.set("stopping_reason_message", message ? Json(*message) : Json());
  out.set("stopping_reason", to_string(callback.stopping_reason()));
  out.set("stopping_reason_value", static_cast<std::int64_t>(callback.stopping_reason()));
}

void see(const ModelCheckpoint& callback, Json& out) {
  out.set("best_model_path", callback.best_model_path());
  out.set("best_model_score", maybe(callback.best_model_score()));
  out.set("kth_best_model_path", callback.kth_best_model_path());
  out.set("kth_value", number(callback.kth_value()));
  out.set("last_model_path", callback.last_model_path());
  out.set("current_score", maybe(callback.current_score()));
  // Unset until a run finds it out.
  out.set("dirpath", callback.dirpath().empty() ? Json() : Json(callback.dirpath()));
  auto best = callback.best_k_models();
  std::sort(best.begin(), best.end());
  Json pairs = Json::array();
  for (const auto& [path, score] : best) {
    Json& pair = pairs.append(Json::array());
    pair.append(path);
    pair.append(number(score));
  }
  out.set("best_k_models", std::move(pairs));
  out.set("state_key", callback.state_key());
}

void see(const Timer& callback, Json& out) {
  out.set("state_dict", state_json(callback.state_dict()));
  out.set("time_remaining_train", maybe(callback.time_remaining()));
  out.set("duration", maybe(callback.duration()));
  Json start = Json::object();
  Json end = Json::object();
  for (const Stage stage : {Stage::train, Stage::validate, Stage::test, Stage::sanity_check}) {
    start.set(to_string(stage), maybe(callback.start_time(stage)));
    end.set(to_string(stage), maybe(callback.end_time(stage)));
  }
  out.set("start_time", std::move(start));
  out.set("end_time", std::move(end));
}

void see(const GradientAccumulationScheduler& callback, Json& out) {
  Json scheduling = Json::object();
  Json epochs = Json::array();
  for (const auto& [epoch, factor] : callback.scheduling()) {
    scheduling.set(std::to_string(epoch), factor);
    epochs.append(epoch);
  }
  out.set("scheduling", std::move(scheduling));
  out.set("epochs", std::move(epochs));
}

void see(const LearningRateMonitor& callback, Json& out) {
  Json lrs = Json::object();
  for (const auto& [name, values] : callback.lrs()) lrs.set(name, numbers(values));
  out.set("lrs", std::move(lrs));
  Json momenta = Json::object();
  for (const auto& [name, value] : callback.last_momentum_values()) momenta.set(name, maybe(value));
  out.set("last_momentum_values", std::move(momenta));
  Json decays = Json::object();
  for (const auto& [name, value] : callback.last_weight_decay_values()) {
    decays.set(name, maybe(value));
  }
  out.set("last_weight_decay_values", std::move(decays));
}

void see(const OnExceptionCheckpoint& callback, Json& out) {
  out.set("ckpt_path", callback.ckpt_path().string());
}

void see(const BackboneFinetuning& callback, Json& out) {
  out.set("previous_backbone_lr", maybe(callback.previous_backbone_lr()));
}

Json weights_json(const StateDict& weights) {
  if (weights.empty()) return {};
  Json all = Json::object();
  for (const auto& [name, value] : weights) all.set(name, tensor_json(value.to_tensor()));
  return all;
}

void see(const WeightAveraging& callback, Json& out) {
  out.set("latest_update_step", callback.latest_update_step());
  out.set("latest_update_epoch", callback.latest_update_epoch());
  // There is no average before a fit begins.
  const bool averages = !callback.average_weights().empty();
  out.set("n_averaged", averages ? Json(callback.n_averaged()) : Json());
  out.set("average_weights", weights_json(callback.average_weights()));
}

void see(const StochasticWeightAveraging& callback, Json& out) {
  const auto n_averaged = callback.n_averaged();
  out.set("n_averaged", n_averaged ? Json(*n_averaged) : Json());
  out.set("latest_update_epoch", callback.latest_update_epoch());
  const auto& start = callback.swa_epoch_start();
  const auto* epoch = std::get_if<std::int64_t>(&start);
  out.set("swa_epoch_start", epoch != nullptr ? Json(*epoch) : number(std::get<double>(start)));
  // One rate for all groups is recorded as a number until the averaging begins.
  const std::vector<double>& lrs = callback.swa_lrs();
  out.set("swa_lrs", n_averaged || lrs.size() > 1 ? numbers(lrs) : number(lrs.front()));
  out.set("average_weights", weights_json(callback.average_weights()));
}

void see(const ModelPruning& callback, Json& out) {
  Json names = Json::array();
  for (const std::string& name : callback.parameters_to_prune()) {
    names.append(name.substr(name.rfind('.') + 1));
  }
  out.set("n_parameters_to_prune", names.size());
  out.set("names", std::move(names));
}

void see(const SpikeDetection& callback, Json& out) {
  Json batches = Json::array();
  for (const std::int64_t batch : callback.bad_batches()) batches.append(batch);
  out.set("bad_batches", std::move(batches));
  out.set("last_val", number(callback.last_val()));
  out.set("exclude_batches_path", callback.exclude_batches_path().string());
}

void see(const BatchSizeFinder& callback, Json& out) {
  const auto size = callback.optimal_batch_size();
  out.set("optimal_batch_size", size ? Json(*size) : Json());
}

void see(const LearningRateFinder& callback, Json& out) {
  const auto& found = callback.optimal_lr();
  if (!found) {
    out.set("lr", Json());
    return;
  }
  out.set("lr", numbers(found->lr));
  out.set("loss", numbers(found->loss));
  const auto rate = [&](std::optional<std::size_t> index) {
    return index ? number(found->lr[*index]) : Json();
  };
  out.set("suggestion", rate(found->suggested_index()));
  out.set("suggestion_skip_0_0_plus1", rate(found->suggested_index(0, 1)));
  out.set("total_batch_idx", found->total_batch_idx);
}

void see(const Trace& callback, Json& out) {
  out.set("batches", callback.batches());
}

using Observer = std::function<bool(const Callback&, Json&)>;

template <class T>
bool see_as(const Callback& callback, Json& out) {
  const auto* found = dynamic_cast<const T*>(&callback);
  if (found == nullptr) return false;
  see(*found, out);
  return true;
}

const std::vector<Observer>& observers() {
  static const std::vector<Observer> table = {
      see_as<BatchSizeFinder>,
      see_as<EarlyStopping>,
      see_as<ModelCheckpoint>,
      see_as<Timer>,
      see_as<GradientAccumulationScheduler>,
      see_as<LearningRateFinder>,
      see_as<LearningRateMonitor>,
      see_as<OnExceptionCheckpoint>,
      see_as<BackboneFinetuning>,
      see_as<WeightAveraging>,
      see_as<StochasticWeightAveraging>,
      see_as<ModelPruning>,
      see_as<SpikeDetection>,
      see_as<Trace>,
  };
  return table;
}

}  // namespace

Json observe_callbacks(const Trainer& trainer) {
  Json all = Json::array();
  for (const CallbackHandle& handle : trainer.callbacks()) {
    Json state = Json::object();
    state.set("type", handle.callback->type_name());
    const bool seen =
        std::any_of(observers().begin(), observers().end(),
                    [&](const Observer& observer) { return observer(*handle.callback, state); });
    if (seen) all.append(std::move(state));
  }
  return all;
}

Json observe_callbacks_order(const Trainer& trainer) {
  Json names = Json::array();
  for (const CallbackHandle& handle : trainer.callbacks()) {
    std::string name = handle.callback->type_name();
    if (const auto* tagged = dynamic_cast<const Tagged*>(handle.callback.get())) {
      name += "(" + tagged->tag() + ")";
    }
    names.append(name);
  }
  return names;
}

}  // namespace grapnel::oracle
