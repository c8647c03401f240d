// ModelPruning's masks in checkpoints, and back.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "callbacks/pruned_parameters.h"
#include "grapnel/base/error.h"
#include "grapnel/base/text.h"
#include "grapnel/callbacks/model_pruning.h"
#include "grapnel/trainer.h"

namespace grapnel {

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
      const Pruned& record = *found->second;
      // A failed run has taken the names back already.
      const bool renamed = weights.contains(orig_name(name));
      const at::Tensor orig = weights.at(renamed ? orig_name(name) : name).to_tensor();
      if (options_.make_pruning_permanent) {
        weights.erase(orig_name(name));
        weights.erase(mask_name(name));
        weights[name] = orig * record.mask;
        // Not orig, which an average may have replaced in the checkpoint.
        saved["orig"] = event.trainer.training_tensor(
            event.module.state_view().find(orig_name(name)) != nullptr ? orig_name(name) : name);
        if (StateValue* leased = event.checkpoint.find("leased_state_dict")) {
          StateDict& tensors = leased->to_dict();
          if (const StateValue* average = tensors.find(orig_name(name))) {
            at::Tensor masked = average->to_tensor() * record.mask;
            tensors.erase(orig_name(name));
            tensors[name] = std::move(masked);
          }
        }
      } else if (!renamed) {
        weights.erase(name);
        weights[orig_name(name)] = orig;
        weights[mask_name(name)] = record.mask;
      }
      saved["mask"] = record.mask;
      saved["effective"] = record.effective;
    }
    if (!saved.empty()) exact[name] = std::move(saved);
  }
  // Of a training that has just ended, whose model others may have given an average since.
  for (const auto& [name, mask] : last_masks_) {
    if (StateValue* saved = weights.find(name)) *saved = saved->to_tensor() * mask;
  }
  if (event.weights_only || exact.empty()) return;
  StateValue& resume = event.checkpoint["exact_resume"];
  if (!resume.is_dict()) resume = StateDict();
  StateValue& pruning = resume.to_dict()["pruning"];
  if (!pruning.is_dict()) pruning = StateDict();
  for (auto& [name, saved] : exact) pruning.to_dict()[name] = saved;
}

void ModelPruning::before_weights_loaded(LoadCheckpoint& event) {
  const at::NoGradGuard no_grad;
  const StateDict& weights = event.checkpoint.at("state_dict").to_dict();
  for (const std::string& name : names_) {
    const StateValue* mask = weights.find(mask_name(name));
    if (mask == nullptr || !weights.contains(orig_name(name))) continue;
    const at::Tensor parameter = pruning_parameter(event.module, name);
    if (mask->to_tensor().sizes() != parameter.sizes()) continue;  // is refused with the weights
    set_mask(event.trainer, event.module, name,
             mask->to_tensor().to(parameter.options().requires_grad(false)).clone());
  }
}

void ModelPruning::on_load_checkpoint(LoadCheckpoint& event) {
  const StateValue* resume = event.checkpoint.find("exact_resume");
  const StateValue* pruning = resume == nullptr ? nullptr : resume->to_dict().find("pruning");
  if (pruning == nullptr || event.trainer.state().kind != RunKind::fit) return;
  const at::NoGradGuard no_grad;
  for (const std::string& name : names_) {
    const StateValue* entry = pruning->to_dict().find(name);
    if (entry == nullptr) {
      originals_.erase(name);
      continue;
    }
    const StateDict& saved = entry->to_dict();
    at::Tensor live = pruning_parameter(event.module, name).detach();
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
      pruned_[name]->effective = here("effective");
    }
    if (saved.contains("rewind_to")) {
      originals_[name] = here("rewind_to");
    } else {
      originals_.erase(name);
    }
  }
}

}  // namespace grapnel
