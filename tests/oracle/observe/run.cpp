// The module, the optimizers, the counters and the metrics of a run.
#include <grapnel/run_state.h>

#include "observe/observe.h"
#include "state_json.h"

namespace grapnel::oracle {
namespace {

// What it says where there is no number.
Json limit(std::int64_t value) {
  return value < 0 ? Json("inf") : Json(value);
}

Json name_or_null(std::string_view name) {
  return name.empty() || name == "none" ? Json() : Json(name);
}

// A pruned parameter has the names of torch.nn.utils.prune in recordings.
std::string recorded_name(const StateEntry& entry) {
  return entry.name + (entry.mask.defined() ? "_orig" : "");
}

std::string parameter_name(const Trainer& trainer, const at::Tensor& tensor) {
  for (const StateEntry& entry : trainer.module().state_view().parameters()) {
    if (entry.tensor.is_same(tensor)) return recorded_name(entry);
  }
  return "(no parameter of the module)";
}

}  // namespace

Json observe_weights(Module& module) {
  Json weights = Json::object();
  for (const StateEntry& entry : module.state_view().entries()) {
    weights.set(recorded_name(entry), tensor_json(entry.tensor));
    if (entry.mask.defined()) weights.set(entry.name + "_mask", tensor_json(entry.mask));
  }
  return weights;
}

Json observe_masks(Module& module) {
  Json masks = Json::object();
  for (const StateEntry& entry : module.state_view().parameters()) {
    if (entry.mask.defined()) masks.set(entry.name + "_mask", tensor_json(entry.mask));
  }
  return masks;
}

Json observe_state_dict_keys(Module& module) {
  Json keys = Json::array();
  for (const StateEntry& entry : module.state_view().entries()) {
    if (!entry.persistent) continue;
    keys.append(recorded_name(entry));
    if (entry.mask.defined()) keys.append(entry.name + "_mask");
  }
  return keys;
}

Json observe_requires_grad(Module& module) {
  Json flags = Json::object();
  for (const StateEntry& entry : module.state_view().parameters()) {
    flags.set(recorded_name(entry), entry.tensor.requires_grad());
  }
  return flags;
}

Json observe_optimizers(const Trainer& trainer) {
  Json all = Json::array();
  for (const auto& optimizer : trainer.optimizers()) {
    Json& groups = all.append(Json::array());
    for (const ParamGroup& group : optimizer->groups()) {
      Json& entry = groups.append(Json::object());
      entry.set("lr", number(group.options.find("lr")->second));
      Json names = Json::array();
      for (const at::Tensor& tensor : group.params) names.append(parameter_name(trainer, tensor));
      entry.set("params", std::move(names));
    }
  }
  return all;
}

Json observe_lr(const Trainer& trainer) {
  Json all = Json::array();
  for (const auto& optimizer : trainer.optimizers()) {
    Json& groups = all.append(Json::array());
    for (const ParamGroup& group : optimizer->groups()) {
      groups.append(number(group.options.find("lr")->second));
    }
  }
  return all;
}

Json observe_final(const Trainer& trainer, bool fitted) {
  const RunState& state = trainer.state();
  Json result = Json::object();
  result.set("global_step", trainer.global_step());
  result.set("current_epoch", trainer.current_epoch());
  result.set("should_stop", trainer.should_stop());
  result.set("num_training_batches", limit(state.num_training_batches));
  const bool open = !fitted && !trainer.options().max_epochs.has_value();
  result.set("max_epochs", open ? Json() : Json(state.max_epochs));
  result.set("max_steps", state.max_steps);
  result.set("batches_that_stepped", state.batches_that_stepped);
  result.set("total_batch_idx", state.batch.total.ready - 1);
  result.set("status", to_string(state.status));
  result.set("fn", name_or_null(to_string(state.kind)));
  result.set("stage", name_or_null(to_string(state.stage)));
  return result;
}

Json observe_metrics(const MetricDict& metrics) {
  Json result = Json::object();
  for (const MetricDict::Entry& entry : metrics) {
    result.set(entry.name, number(entry.value.number()));
  }
  return result;
}

}  // namespace grapnel::oracle
