#include "grapnel/callbacks/base_finetuning.h"

#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/trainer.h"
#include "model/pruned_weights.h"

namespace grapnel {

namespace {

bool is_below(const std::string& name, const std::string& part) {
  return part.empty() ||
         (name.size() > part.size() && name.starts_with(part) && name[part.size()] == '.');
}

// "a.b.weight" -> "a.b"
std::string owner_of(const std::string& name) {
  const size_t dot = name.rfind('.');
  return dot == std::string::npos ? "" : name.substr(0, dot);
}

[[noreturn]] void refuse_part(const std::string& part, const StateView& view) {
  std::vector<std::string> parts;
  for (const StateEntry& entry : view.entries()) {
    for (std::string owner = owner_of(entry.name); !owner.empty(); owner = owner_of(owner)) {
      if (std::find(parts.begin(), parts.end(), owner) == parts.end()) parts.push_back(owner);
    }
  }
  const auto meant = nearest(part, parts);
  throw ConfigError(
      {},
      fmt::format("the model has no part {} with parameters{}; its parts are {}", quote(part),
                  did_you_mean(meant), parts.empty() ? "none" : join_quoted(parts, "and")),
      part, meant.value_or(""));
}

// The parameters below the parts, each once, in the model's order.
std::vector<StateEntry> parameters_below(Module& module, const std::vector<std::string>& parts) {
  std::vector<StateEntry> chosen;
  for (const std::string& part : parts) {
    bool found = false;
    for (const StateEntry& entry : module.state_view().parameters()) {
      if (!is_below(entry.name, part)) continue;
      found = true;
      const bool known = std::any_of(chosen.begin(), chosen.end(), [&](const StateEntry& other) {
        return other.tensor.is_same(entry.tensor);
      });
      if (!known) chosen.push_back(entry);
    }
    if (!found) refuse_part(part, module.state_view());
  }
  return chosen;
}

std::set<std::string> norm_names(Module& module) {
  std::set<std::string> names;
  for (const BatchNormLayer& layer : module.batch_norms()) names.insert(layer.name);
  return names;
}

bool holds(const Optimizer& optimizer, const at::Tensor& param) {
  for (const ParamGroup& group : optimizer.groups()) {
    for (const at::Tensor& own : group.params) {
      if (own.is_same(param)) return true;
    }
  }
  return false;
}

std::string name_of_param(Module& module, const at::Tensor& param) {
  for (const StateEntry& entry : module.state_view().entries()) {
    if (entry.is_parameter && entry.tensor.is_same(param)) return entry.name;
  }
  return {};
}

StateList names_list(const std::set<std::string>& names) {
  return StateList(names.begin(), names.end());
}

std::set<std::string> names_from(const StateDict& state, std::string_view key) {
  std::set<std::string> names;
  if (const StateValue* list = state.find(key)) {
    for (const StateValue& name : list->to_list()) names.insert(name.to_string());
  }
  return names;
}

}  // namespace

StateDict BaseFinetuning::state_dict() const {
  StateDict metadata;
  for (size_t i = 0; i < groups_.size(); ++i) {
    StateList groups;
    for (const SavedGroup& group : groups_[i]) {
      StateDict saved;
      for (const auto& [name, value] : group.options) saved[name] = value;
      if (!group.name.empty()) saved["name"] = group.name;
      saved["params"] = StateList(group.params.begin(), group.params.end());
      groups.emplace_back(std::move(saved));
    }
    metadata[std::to_string(i)] = std::move(groups);
  }
  return {{"internal_optimizer_metadata", std::move(metadata)},
          {"trainable", names_list(trainable_)},
          {"frozen_norms", names_list(frozen_norms_)},
          {"finetuned_epoch", finetuned_epoch_}};
}

void BaseFinetuning::load_state_dict(const StateDict& state) {
  const StateDict& metadata = state.at("internal_optimizer_metadata").to_dict();
  std::vector<std::vector<SavedGroup>> groups;
  for (size_t i = 0; metadata.contains(std::to_string(i)); ++i) {
    auto& of_optimizer = groups.emplace_back();
    for (const StateValue& value : metadata.at(std::to_string(i)).to_list()) {
      SavedGroup& group = of_optimizer.emplace_back();
      for (const auto& [name, option] : value.to_dict()) {
        if (name == "name") {
          group.name = option.to_string();
        } else if (name != "params") {
          group.options[name] = option.to_double();
        }
      }
      for (const StateValue& name : value.to_dict().at("params").to_list()) {
        group.params.push_back(name.to_string());
      }
    }
  }
  std::set<std::string> trainable = names_from(state, "trainable");
  std::set<std::string> frozen_norms = names_from(state, "frozen_norms");
  const StateValue* epoch = state.find("finetuned_epoch");
  finetuned_epoch_ = epoch == nullptr ? -1 : epoch->to_int();
  groups_ = std::move(groups);
  trainable_ = std::move(trainable);
  frozen_norms_ = std::move(frozen_norms);
  restored_ = true;
}

void BaseFinetuning::setup(StageEvent& event) {
  if (event.run != RunKind::fit) return;
  ended_ = false;
  // A fit that continues the last one keeps what that one had unfrozen.
  const bool same_module = std::exchange(module_, &event.module) == &event.module;
  restored_ = same_module && event.trainer.current_epoch() > 0 && !groups_.empty();
  const std::set<std::string> norms_before = std::move(frozen_norms_);
  frozen_norms_.clear();
  take_lease(event.trainer, event.module);
  freeze_before_training(event.module);
  if (restored_) {
    frozen_norms_ = norms_before;
  } else {
    groups_.clear();
    trainable_.clear();
    finetuned_epoch_ = -1;
  }
}

void BaseFinetuning::take_lease(Trainer& trainer, Module& module) {
  std::vector<std::pair<at::Tensor, bool>> before;
  for (const StateEntry& entry : module.state_view().parameters()) {
    before.emplace_back(entry.tensor, entry.tensor.requires_grad());
  }
  frozen_ = trainer.lease("frozen parameters of " + type_name(), [before = std::move(before)] {
    for (const auto& [tensor, requires_grad] : before) tensor.set_requires_grad(requires_grad);
  });
}

void BaseFinetuning::freeze(Module& module, const std::vector<std::string>& parts, bool train_bn) {
  const std::set<std::string> norms = norm_names(module);
  for (const StateEntry& entry : parameters_below(module, parts)) {
    const bool is_norm = norms.contains(owner_of(entry.name));
    entry.tensor.set_requires_grad(is_norm && train_bn);
  }
  for (const std::string& norm : norms) {
    const bool chosen = std::any_of(parts.begin(), parts.end(), [&](const std::string& part) {
      return norm == part || is_below(norm, part);
    });
    if (!chosen) continue;
    if (train_bn) {
      frozen_norms_.erase(norm);
    } else {
      frozen_norms_.insert(norm);
    }
  }
}

void BaseFinetuning::make_trainable(Module& module, const std::vector<std::string>& parts) {
  for (const StateEntry& entry : parameters_below(module, parts)) {
    entry.tensor.set_requires_grad(true);
  }
  std::erase_if(frozen_norms_, [&](const std::string& norm) {
    return std::any_of(parts.begin(), parts.end(), [&](const std::string& part) {
      return norm == part || is_below(norm, part);
    });
  });
}

void BaseFinetuning::unfreeze_and_add_param_group(Module& module,
                                                  const std::vector<std::string>& parts,
                                                  Optimizer& optimizer,
                                                  const UnfreezeOptions& options) {
  if (!options.lr.has_value() && options.initial_denom_lr == 0.0) {
    throw ConfigError::of("initial_denom_lr",
                          "{}: initial_denom_lr is 0; it divides the learning rate", type_name());
  }
  make_trainable(module, parts);
  if (optimizer.groups().empty()) return;  // nothing is trained in this run
  const std::set<std::string> norms = norm_names(module);
  ParamGroup group;
  std::vector<std::string> skipped;
  for (const StateEntry& entry : parameters_below(module, parts)) {
    if (!options.train_bn && norms.contains(owner_of(entry.name))) continue;
    if (holds(optimizer, entry.tensor)) {
      skipped.push_back(entry.name);
    } else {
      group.params.push_back(entry.tensor);
    }
  }
  if (!skipped.empty()) {
    log_warning(
        "{}: the {} optimizer has parameters already that should come as a new group, and they "
        "stay in theirs: {}; in configure_optimizers give it only the parameters that require a "
        "gradient",
        type_name(), optimizer.type_name(), fmt::join(skipped, ", "));
  }
  if (group.params.empty()) return;
  const double first = optimizer.groups().front().options.find("lr")->second;
  group.options["lr"] = options.lr.value_or(first / options.initial_denom_lr);
  optimizer.add_group(std::move(group));
}

void BaseFinetuning::on_fit_start(Event& event) {
  if (!std::exchange(restored_, false)) return;
  const auto& optimizers = event.trainer.optimizers();
  for (size_t i = 0; i < optimizers.size() && i < groups_.size(); ++i) {
    restore_groups(event.module, *optimizers[i], groups_[i]);
  }
  if (trainable_.empty()) return;
  std::set<const c10::TensorImpl*> trainable;
  for (const std::string& name : trainable_) {
    const StateEntry* entry = find_saved_entry(event.module.state_view(), name);
    if (entry != nullptr) trainable.insert(entry->tensor.unsafeGetTensorImpl());
  }
  for (const StateEntry& entry : event.module.state_view().parameters()) {
    entry.tensor.set_requires_grad(trainable.contains(entry.tensor.unsafeGetTensorImpl()));
  }
}

// Adds the groups that came during the training; the first ones are as configure_optimizers made
// them, and their options come with the optimizer's own state.
void BaseFinetuning::restore_groups(Module& module, Optimizer& optimizer,
                                    const std::vector<SavedGroup>& saved) {
  for (size_t i = 0; i < saved.size(); ++i) {
    ParamGroup group{.name = saved[i].name, .options = saved[i].options};
    for (const std::string& name : saved[i].params) {
      const StateEntry* entry = find_saved_entry(module.state_view(), name);
      if (entry == nullptr || !entry->is_parameter) {
        throw CheckpointError(
            {}, fmt::format("{}: the optimizer had the parameter {}, which the model no longer has",
                            type_name(), quote(name)));
      }
      group.params.push_back(entry->tensor);
    }
    if (i >= optimizer.groups().size()) {
      if (!group.params.empty()) optimizer.add_group(std::move(group));
      continue;
    }
    const std::vector<at::Tensor>& present = optimizer.groups()[i].params;
    const bool same =
        std::equal(present.begin(), present.end(), group.params.begin(), group.params.end(),
                   [](const auto& a, const auto& b) { return a.is_same(b); });
    if (!same) {
      throw CheckpointError(
          {}, fmt::format("{}: group {} of the {} optimizer held other parameters when the "
                          "checkpoint was written ({}); make it as it was in configure_optimizers",
                          type_name(), i, optimizer.type_name(), fmt::join(saved[i].params, ", ")));
    }
  }
}

void BaseFinetuning::on_train_epoch_start(Event& event) {
  // A run that was stopped at the start of this epoch has had its finetune.
  const int64_t epoch = event.trainer.current_epoch();
  if (epoch == finetuned_epoch_) return;
  const auto& optimizers = event.trainer.optimizers();
  for (size_t i = 0; i < optimizers.size(); ++i) {
    finetune(event.module, epoch, *optimizers[i], static_cast<int64_t>(i));
    note_groups(event.module, i, *optimizers[i]);
  }
  note_trainable(event.module);
  finetuned_epoch_ = epoch;
}

// Groups are noted once, as they came.
void BaseFinetuning::note_groups(Module& module, size_t optimizer_idx, const Optimizer& optimizer) {
  if (groups_.size() <= optimizer_idx) groups_.resize(optimizer_idx + 1);
  std::vector<SavedGroup>& saved = groups_[optimizer_idx];
  for (size_t i = saved.size(); i < optimizer.groups().size(); ++i) {
    const ParamGroup& group = optimizer.groups()[i];
    SavedGroup note{.name = group.name, .options = group.options, .params = {}};
    for (const at::Tensor& param : group.params) {
      const std::string name = name_of_param(module, param);
      if (name.empty()) {
        throw ConfigError::of("",
                              "{}: the {} optimizer has a parameter that is none of the model's",
                              type_name(), optimizer.type_name());
      }
      note.params.push_back(name);
    }
    saved.push_back(std::move(note));
  }
}

void BaseFinetuning::note_trainable(Module& module) {
  trainable_.clear();
  for (const StateEntry& entry : module.state_view().parameters()) {
    if (entry.tensor.requires_grad()) trainable_.insert(entry.name);
  }
}

// While a step runs, frozen batch normalizations update copies of their statistics.
void BaseFinetuning::on_train_batch_start(TrainBatchStart& event) {
  statistics_.end();  // a batch whose epoch was ended at its start has no end
  if (frozen_norms_.empty()) return;
  std::vector<std::pair<std::string, at::Tensor>> copies;
  for (const StateEntry& entry : event.module.state_view().entries()) {
    if (entry.is_parameter || !frozen_norms_.contains(owner_of(entry.name))) continue;
    copies.emplace_back(entry.name, entry.tensor.detach().clone());
  }
  if (copies.empty()) return;
  statistics_ =
      event.trainer.lease_weights(std::move(copies), "statistics of frozen batch normalizations");
}

// Before other callbacks look at the model after the step, in any order.
void BaseFinetuning::on_after_optimizer_step(OptimizerEvent& event) {
  if (event.module.automatic_optimization) statistics_.end();
}

void BaseFinetuning::on_train_batch_end(TrainBatchEnd&) {
  statistics_.end();
}

void BaseFinetuning::on_train_epoch_end(Event&) {
  statistics_.end();
}

void BaseFinetuning::on_fit_end(Event&) {
  ended_ = true;
}

// Not before: a run that fails in another's on_fit_end gives the parameters back as they were.
void BaseFinetuning::teardown(StageEvent&) {
  if (std::exchange(ended_, false)) frozen_.keep();
}

}  // namespace grapnel
