// ModelPruning's masks in checkpoints, and back.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <utility>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"
#include "grapnel/callbacks/model_pruning.h"
#include "grapnel/trainer.h"
#include "model/pruned_weights.h"

namespace grapnel {

namespace {

void apply_mask(StateDict& weights, const std::string& name, const at::Tensor& mask) {
  const auto weight = find_weight(weights, name);
  if (weight) put_weight(weights, name, {weight->tensor * mask, {}});
}

// What a ModelPruning saves under the key; there may be several that prune the same parameters.
StateDict& section(StateDict& resume, const char* key) {
  StateValue& all = resume[key];
  if (!all.is_dict()) all = StateDict();
  return all.to_dict();
}

// In the type that it was saved with, whatever the precision of the run.
at::Tensor copy_on(const at::Device& device, const StateValue& saved) {
  const at::Tensor& tensor = saved.to_tensor();
  return tensor.to(device, tensor.scalar_type(), /*non_blocking=*/false, /*copy=*/true);
}

}  // namespace

void ModelPruning::on_save_checkpoint(SaveCheckpoint& event) {
  const at::NoGradGuard no_grad;
  StateDict& weights = event.checkpoint.at("state_dict").to_dict();
  StateDict exact;
  for (const std::string& name : names_) {
    StateDict saved;
    const auto original = originals_.find(name);
    if (original != originals_.end()) saved["rewind_to"] = original->second;
    const auto found = pruned_.find(name);
    if (found != pruned_.end()) {
      const Pruned& record = found->second;
      if (options_.make_pruning_permanent) {
        apply_mask(weights, name, record.mask);
        // Not the one in the checkpoint, which an average may have replaced.
        saved["orig"] = event.trainer.training_tensor(name);
        StateValue* leased = event.checkpoint.find("leased_state_dict");
        if (leased != nullptr) apply_mask(leased->to_dict(), name, record.mask);
      } else if (const auto weight = find_weight(weights, name)) {
        put_weight(weights, name, {weight->tensor, record.mask});  // a failed run took it away
      }
      saved["mask"] = record.mask;
      saved["effective"] = record.effective;
    }
    if (!saved.empty()) exact[name] = std::move(saved);
  }
  if (event.weights_only) return;
  StateValue& resume = event.checkpoint["exact_resume"];
  if (!resume.is_dict()) resume = StateDict();
  for (auto& [name, saved] : exact) section(resume.to_dict(), "pruning")[name] = saved;
  for (const auto& [name, kept] : unpruned_) {
    StateDict& all = section(resume.to_dict(), "before_pruning");
    if (!all.contains(name)) all[name] = kept;  // the first one's are of before all of them
  }
}

void ModelPruning::keep_unpruned(const Trainer& trainer, Module& module) {
  unpruned_.clear();
  for (const std::string& name : names_) {
    StateDict kept{{"weight", trainer.training_tensor(name)}};
    const at::Tensor mask = module.state_view().find(name)->mask;
    if (mask.defined()) kept["mask"] = mask;
    const auto record = pruned_.find(name);
    if (record != pruned_.end()) kept["effective"] = record->second.effective;
    const auto original = originals_.find(name);
    if (original != originals_.end()) kept["rewind_to"] = original->second;
    unpruned_[name] = snapshot(kept);
  }
}

void ModelPruning::restore_unpruned(Trainer& trainer, Module& module) {
  const at::NoGradGuard no_grad;
  for (const auto& [name, value] : std::exchange(unpruned_, {})) {
    const StateDict& kept = value.to_dict();
    at::Tensor live = trainer.training_tensor(name);
    const auto here = [&](const char* key) {
      return kept.at(key).to_tensor().to(live.options().requires_grad(false)).clone();
    };
    live.copy_(kept.at("weight").to_tensor());
    if (kept.contains("mask")) {
      set_mask(trainer, module, name, here("mask"));
      if (kept.contains("effective")) pruned_.at(name).effective = here("effective");
    } else {
      pruned_.erase(name);
      module.state_view().set_mask(name, {});
    }
    if (kept.contains("rewind_to")) originals_[name] = copy_on(live.device(), kept.at("rewind_to"));
  }
}

void ModelPruning::before_weights_loaded(LoadCheckpoint& event) {
  const at::NoGradGuard no_grad;
  const StateDict& weights = event.checkpoint.at("state_dict").to_dict();
  for (const std::string& name : names_) {
    const auto saved = find_weight(weights, name);
    if (!saved || !saved->mask.defined()) continue;
    const at::Tensor& parameter = event.module.state_view().find(name)->tensor;
    if (saved->mask.sizes() != parameter.sizes()) continue;  // is refused with the weights
    set_mask(event.trainer, event.module, name,
             saved->mask.to(parameter.options().requires_grad(false)).clone());
  }
}

void ModelPruning::on_load_checkpoint(LoadCheckpoint& event) {
  const StateValue* resume = event.checkpoint.find("exact_resume");
  const StateValue* pruning = resume == nullptr ? nullptr : resume->to_dict().find("pruning");
  if (pruning == nullptr || event.trainer.state().kind != RunKind::fit) return;
  const at::NoGradGuard no_grad;
  if (const StateValue* before = resume->to_dict().find("before_pruning")) {
    for (const std::string& name : names_) {
      const StateValue* own = before->to_dict().find(name);
      if (own != nullptr) unpruned_[name] = snapshot(own->to_dict());
    }
  }
  for (const std::string& name : names_) {
    const StateValue* entry = pruning->to_dict().find(name);
    if (entry == nullptr) {
      originals_.erase(name);
      continue;
    }
    const StateDict& saved = entry->to_dict();
    at::Tensor live = event.module.state_view().find(name)->tensor.detach();
    for (const auto& [key, value] : saved) {
      if (value.to_tensor().sizes() == live.sizes()) continue;
      throw CheckpointError(
          {}, fmt::format("ModelPruning: {} of {} is {}, the parameter is {}", key, quote(name),
                          value.describe(), StateValue(live).describe()));
    }
    const auto here = [&](const char* key) {
      return saved.at(key).to_tensor().to(live.options()).clone();
    };
    if (saved.contains("orig")) live.copy_(saved.at("orig").to_tensor());
    if (saved.contains("mask")) {
      set_mask(event.trainer, event.module, name, here("mask"));
      pruned_.at(name).effective = here("effective");
    }
    if (saved.contains("rewind_to")) {
      originals_[name] = copy_on(live.device(), saved.at("rewind_to"));
    } else {
      originals_.erase(name);
    }
  }
}

}  // namespace grapnel
