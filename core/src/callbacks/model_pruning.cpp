#include "grapnel/callbacks/model_pruning.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/ones_like.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "callbacks/pruning_method.h"
#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/trainer.h"
#include "run/loops.h"
#include "run/run.h"

namespace grapnel {

namespace {

std::pair<std::string, std::string> part_and_own_name(const std::string& name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos) return {"", name};
  return {name.substr(0, dot), name.substr(dot + 1)};
}

// Every parameter of that own name, in the model's order.
std::vector<std::string> parameters_named(Module& module, const std::vector<std::string>& wanted,
                                          bool of_root) {
  std::vector<std::string> found;
  for (const std::string& own : wanted) {
    for (const StateEntry& entry : module.state_view().parameters()) {
      const auto [part, own_name] = part_and_own_name(entry.name);
      if (part.empty() == of_root && own_name == own) found.push_back(entry.name);
    }
  }
  return found;
}

// Throws ConfigError unless all are parameters of the model.
void check_known(Module& module, const std::vector<std::string>& names) {
  std::vector<std::string> missing;
  for (const std::string& name : names) {
    const StateEntry* entry = module.state_view().find(name);
    if (entry == nullptr || !entry->is_parameter) missing.push_back(quote(name));
  }
  if (missing.empty()) return;
  std::vector<std::string> known;
  for (const StateEntry& entry : module.state_view().parameters()) known.push_back(entry.name);
  throw ConfigError::of(
      "parameters_to_prune",
      "ModelPruning: parameters_to_prune has names that the model lacks: {}; its parameters are {}",
      fmt::join(missing, ", "), join_quoted(known, "and"));
}

template <class T>
T of_epoch(const std::variant<T, std::function<T(int64_t)>>& choice, int64_t epoch) {
  if (const T* value = std::get_if<T>(&choice)) return *value;
  return std::get<std::function<T(int64_t)>>(choice)(epoch);
}

bool may_be_true(const std::variant<bool, std::function<bool(int64_t)>>& choice) {
  const bool* value = std::get_if<bool>(&choice);
  return value == nullptr || *value;
}

std::string percentage(int64_t part, int64_t whole) {
  return fmt::format(
      "{:.2f}%", whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

}  // namespace

ModelPruning::ModelPruning(const std::string& pruning_fn, ModelPruningOptions options)
    : method_(std::make_unique<PruningMethod>(
          make_pruning_method(pruning_fn, options.pruning_dim, options.pruning_norm))),
      options_(std::move(options)) {
  check_options();
}

ModelPruning::ModelPruning(Settings settings)
    : ModelPruning(settings.pruning_fn, std::move(settings.options)) {}

ModelPruning::ModelPruning(std::string name, PruningFunction function, ModelPruningOptions options)
    : method_(std::make_unique<PruningMethod>()), options_(std::move(options)) {
  if (!function) throw ConfigError({}, "ModelPruning: the pruning function is empty", "pruning_fn");
  if (!options_.use_global_unstructured) {
    throw ConfigError({},
                      "ModelPruning: a pruning function of your own chooses among the elements of "
                      "all parameters; it needs use_global_unstructured = true",
                      "use_global_unstructured");
  }
  method_->function = name;
  method_->name = std::move(name);
  method_->compute = [function = std::move(function)](const at::Tensor& scores, const at::Tensor&,
                                                      const PruningAmount& amount) {
    return function(scores, amount);
  };
  check_options();
}

ModelPruning::~ModelPruning() = default;

void ModelPruning::check_options() const {
  if (options_.use_global_unstructured && method_->structured) {
    throw ConfigError::of("use_global_unstructured",
                          "ModelPruning: use_global_unstructured is for unstructured methods; {} "
                          "is structured: set it to false",
                          method_->name);
  }
  // The method was looked up already; one of the user's own isn't in the table.
  options_table().check({pruning_method_names().front(), options_}, "ModelPruning");
}

std::pair<int64_t, int64_t> ModelPruning::sparsity(Module& module, const std::string& name) const {
  const StateEntry* entry = module.state_view().find(name);
  if (entry == nullptr || !entry->is_parameter) return {0, 0};
  const int64_t zeros = entry->mask.defined() ? (entry->mask == 0).sum().item<int64_t>() : 0;
  return {zeros, entry->tensor.numel()};
}

void ModelPruning::setup(StageEvent& event) {
  Module& module = event.module;
  std::vector<std::string> names = options_.parameters_to_prune;
  if (names.empty()) names = parameters_named(module, options_.parameter_names, false);
  if (names.empty()) names = parameters_named(module, options_.parameter_names, true);
  check_known(module, names);
  names_ = filter_parameters_to_prune(module, std::move(names));
  check_known(module, names_);

  // Another model, or one whose failed run took the masks away.
  std::erase_if(pruned_, [&](const auto& item) {
    const StateEntry* entry = module.state_view().find(item.first);
    return entry == nullptr || !entry->mask.defined();
  });
  adopt_masks(event.trainer, module);
  ended_ = false;
  if (event.run != RunKind::fit) return;
  unpruned_.clear();
  originals_.clear();
  if (!may_be_true(options_.use_lottery_ticket_hypothesis)) return;
  for (const std::string& name : names_) {
    originals_[name] = module.state_view().find(name)->tensor.detach().clone();
  }
}

// ---- Masks

// A model that an earlier run left with masks is pruned on, by one callback.
void ModelPruning::adopt_masks(Trainer& trainer, Module& module) {
  const at::NoGradGuard no_grad;
  for (const std::string& name : names_) {
    const StateEntry& entry = *module.state_view().find(name);
    if (!entry.mask.defined()) continue;
    const auto has_it = [&](const CallbackHandle& handle) {
      const auto* other = dynamic_cast<const ModelPruning*>(handle.callback.get());
      return other != nullptr && other->pruned_.contains(name);
    };
    if (std::any_of(trainer.callbacks().begin(), trainer.callbacks().end(), has_it)) continue;
    pruned_[name] = {entry.mask, entry.tensor.detach() * entry.mask, {}};
  }
}

void ModelPruning::set_mask(Trainer& trainer, Module& module, const std::string& name,
                            at::Tensor mask) {
  StateView& view = module.state_view();
  const at::Tensor present = view.find(name)->mask;
  if (present.defined()) {
    present.copy_(mask);
    mask = present;
  } else {
    view.set_mask(name, mask);
  }
  const auto [place, is_new] = pruned_.try_emplace(name);
  Pruned& record = place->second;
  if (is_new && !present.defined()) {
    record.lease = trainer.lease("mask of " + name,
                                 [&module, name] { module.state_view().set_mask(name, {}); });
  }
  record.mask = mask;
  record.effective = trainer.training_tensor(name) * mask;
}

void ModelPruning::apply_masks(Trainer& trainer, Module& module) {
  const at::NoGradGuard no_grad;
  masked_.end();
  std::vector<std::pair<std::string, at::Tensor>> masks;
  for (auto& [name, record] : pruned_) {
    const StateEntry* entry = module.state_view().find(name);
    // Of two callbacks that prune one parameter, one may have made it permanent already.
    if (entry == nullptr || !entry->mask.defined()) continue;
    record.mask = entry->mask;
    masks.emplace_back(name, record.mask);
  }
  if (masks.empty()) return;
  masked_ = trainer.mask_weights(std::move(masks), "masked parameters");
  // A resumed run has one more of the first, and none of the second, which must not matter.
  if (trainer.sanity_checking()) return;
  if (Run::of(trainer).loops->fit.validates_complete_epoch_once_more()) return;
  for (auto& [name, record] : pruned_) {
    const StateEntry* entry = module.state_view().find(name);
    if (entry != nullptr && entry->mask.defined()) record.effective = entry->tensor.detach();
  }
}

void ModelPruning::make_permanent(Module& module) {
  const at::NoGradGuard no_grad;
  masked_.end();
  StateView& view = module.state_view();
  for (auto& [name, record] : pruned_) {
    const StateEntry* entry = view.find(name);
    if (entry == nullptr || !entry->mask.defined()) continue;
    entry->tensor.detach().mul_(entry->mask);
    record.lease.keep();
    view.set_mask(name, {});
  }
  pruned_.clear();
}

// ---- When a model computes

// The rest of the epoch is trained with what was there before it was pruned at its end.
void ModelPruning::on_train_start(Event& event) {
  if (Run::of(event.trainer).loops->fit.continues_cut_epoch()) {
    restore_unpruned(event.trainer, event.module);
  }
}

void ModelPruning::on_train_batch_start(TrainBatchStart& event) {
  unpruned_.clear();
  apply_masks(event.trainer, event.module);
}

void ModelPruning::on_after_backward(Event& event) {
  const at::NoGradGuard no_grad;
  for (const auto& [name, record] : pruned_) {
    const StateEntry* entry = event.module.state_view().find(name);
    if (entry != nullptr && entry->tensor.grad().defined()) {
      entry->tensor.mutable_grad().mul_(record.mask);
    }
  }
}

void ModelPruning::on_before_optimizer_step(OptimizerEvent&) {
  masked_.end();
}

// Under manual optimization the same training_step may compute again.
void ModelPruning::on_after_optimizer_step(OptimizerEvent& event) {
  if (!event.module.automatic_optimization) apply_masks(event.trainer, event.module);
}

void ModelPruning::on_train_batch_end(TrainBatchEnd&) {
  masked_.end();
}
void ModelPruning::on_validation_start(Event& event) {
  apply_masks(event.trainer, event.module);
}
void ModelPruning::on_validation_end(Event& event) {
  masked_.end();
  if (event.trainer.state().kind == RunKind::validate) keep_masks();
}
void ModelPruning::on_test_start(Event& event) {
  apply_masks(event.trainer, event.module);
}
void ModelPruning::on_test_end(Event&) {
  masked_.end();
  keep_masks();
}
void ModelPruning::on_predict_start(Event& event) {
  apply_masks(event.trainer, event.module);
}
void ModelPruning::on_predict_end(Event&) {
  masked_.end();
  keep_masks();
}

// ---- Pruning

void ModelPruning::on_train_epoch_end(Event& event) {
  if (options_.prune_on_train_epoch_end) prune(event);
}

void ModelPruning::on_validation_epoch_end(Event& event) {
  const Trainer& trainer = event.trainer;
  if (options_.prune_on_train_epoch_end || trainer.sanity_checking()) return;
  if (trainer.state().kind == RunKind::fit) prune(event);
}

void ModelPruning::prune(Event& event) {
  Module& module = event.module;
  const int64_t epoch = event.trainer.current_epoch();
  if (!of_epoch(options_.apply_pruning, epoch)) return;
  const PruningAmount amount = of_epoch(options_.amount, epoch);
  check_pruning_amount(amount);
  if (is_zero(amount)) return;

  const at::NoGradGuard no_grad;
  masked_.end();
  if (Run::of(event.trainer).loops->fit.ends_within_epoch()) keep_unpruned(event.trainer, module);
  std::vector<std::pair<int64_t, int64_t>> before;
  if (options_.verbose > 0) {
    for (const std::string& name : names_) before.push_back(sparsity(module, name));
  }
  for (auto& [name, mask] : new_masks(event.trainer, module, amount)) {
    set_mask(event.trainer, module, name, mask);
  }
  if (options_.verbose > 0) report(module, before, amount);
  if (of_epoch(options_.use_lottery_ticket_hypothesis, epoch)) rewind(event.trainer, module);
}

// All are computed before the first is set. What counts as important are the values that the model
// last computed with, as in torch.nn.utils.prune.
std::map<std::string, at::Tensor> ModelPruning::new_masks(const Trainer& trainer, Module& module,
                                                          const PruningAmount& amount) const {
  std::vector<at::Tensor> scores;
  std::vector<at::Tensor> masks;
  for (const std::string& name : names_) {
    const at::Tensor parameter = trainer.training_tensor(name);
    const at::Tensor mask = module.state_view().find(name)->mask;
    const auto record = pruned_.find(name);
    masks.push_back(mask.defined() ? mask : at::ones_like(parameter));
    scores.push_back(record != pruned_.end() ? record->second.effective
                     : mask.defined()        ? parameter * mask
                                             : parameter);
  }
  std::map<std::string, at::Tensor> found;
  if (!options_.use_global_unstructured) {
    for (size_t i = 0; i < names_.size(); ++i) {
      found[names_[i]] = method_->combine(scores[i], masks[i], amount);
    }
    return found;
  }
  if (names_.empty()) return found;
  const auto flat = [](const std::vector<at::Tensor>& tensors) {
    std::vector<at::Tensor> parts;
    for (const at::Tensor& tensor : tensors) parts.push_back(tensor.flatten());
    return at::cat(parts);
  };
  const at::Tensor mask = method_->combine(flat(scores), flat(masks), amount);
  int64_t begin = 0;
  for (size_t i = 0; i < names_.size(); ++i) {
    const int64_t size = masks[i].numel();
    found[names_[i]] =
        mask.narrow(0, begin, size).view(masks[i].sizes()).to(masks[i].dtype()).clone();
    begin += size;
  }
  return found;
}

// The parameters back to their values before the training, or to new ones.
void ModelPruning::rewind(const Trainer& trainer, Module& module) {
  std::map<std::string, std::vector<std::string>> by_part;
  for (const std::string& name : names_) by_part[part_and_own_name(name).first].push_back(name);
  for (const auto& [part, names] : by_part) {
    std::map<std::string, at::Tensor> values;
    if (options_.resample_parameters) {
      // Drawn in place, and all of the part that is not to be pruned put back.
      std::vector<std::pair<at::Tensor, at::Tensor>> present;
      for (const StateEntry& entry : module.state_view().entries()) {
        if (part_and_own_name(entry.name).first != part) continue;
        present.emplace_back(entry.tensor.detach(), entry.tensor.detach().clone());
      }
      if (module.reset_parameters(part)) {
        for (const std::string& name : names) {
          values[name] = module.state_view().find(name)->tensor.detach().clone();
        }
        for (auto& [live, saved] : present) live.copy_(saved);
      }
    }
    for (const std::string& name : names) {
      const auto original = originals_.find(name);
      if (!values.contains(name) && original != originals_.end()) values[name] = original->second;
      if (!values.contains(name)) continue;
      trainer.training_tensor(name).copy_(values[name]);
    }
  }
  if (!options_.rewind_every_time && !options_.resample_parameters) originals_.clear();
}

void ModelPruning::report(Module& module, const std::vector<std::pair<int64_t, int64_t>>& before,
                          const PruningAmount& amount) const {
  int64_t zeros_before = 0;
  int64_t zeros = 0;
  int64_t total = 0;
  std::vector<std::pair<int64_t, int64_t>> now;
  for (size_t i = 0; i < names_.size(); ++i) {
    now.push_back(sparsity(module, names_[i]));
    zeros_before += before[i].first;
    zeros += now[i].first;
    total += now[i].second;
  }
  log_info("ModelPruning applied {}: pruned {}/{} ({}) -> {}/{} ({})", method_->function,
           zeros_before, total, percentage(zeros_before, total), zeros, total,
           percentage(zeros, total));
  if (options_.verbose < 2) return;
  for (size_t i = 0; i < names_.size(); ++i) {
    log_info("ModelPruning applied {} to {} with amount={}: pruned {} ({}) -> {} ({})",
             method_->name, names_[i], amount_text(amount), before[i].first,
             percentage(before[i].first, before[i].second), now[i].first,
             percentage(now[i].first, now[i].second));
  }
}

// ---- The end

void ModelPruning::on_fit_end(Event&) {
  ended_ = true;
}

void ModelPruning::teardown(StageEvent& event) {
  if (!std::exchange(ended_, false)) return;
  if (options_.make_pruning_permanent) make_permanent(event.module);
  keep_masks();
}

// A run that ends well leaves its masks in the model; one that fails takes them away.
void ModelPruning::keep_masks() {
  for (auto& [name, record] : pruned_) record.lease.keep();
}

}  // namespace grapnel
