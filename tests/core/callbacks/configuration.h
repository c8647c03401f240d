// Parameters for each built-in callback, for tests that go through all of them.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "grapnel/callbacks/registry.h"

namespace grapnel::test {

// Small configurations in which callbacks get to do something within three epochs.
inline ConfigValue configuration(const CallbackRegistry::Entry& entry,
                                 const std::filesystem::path& directory) {
  static const std::map<std::string, const char*> special = {
      {"activation_monitor", R"({"every_n_steps": 1})"},
      {"backbone_finetuning", R"({"unfreeze_backbone_at_epoch": 1})"},
      {"early_stopping", R"({"monitor": "val_loss", "restore_best_weights": true})"},
      {"ema_weight_averaging", R"({"decay": 0.5})"},
      {"gradient_accumulation_scheduler", R"({"scheduling": {"1": 2}})"},
      {"model_checkpoint", R"({"monitor": "val_loss", "save_last": true})"},
      {"model_pruning",
       R"({"pruning_fn": "l1_unstructured", "amount": 0.3, "make_pruning_permanent": false})"},
      {"stochastic_weight_averaging", R"({"swa_lrs": 0.01, "swa_epoch_start": 1})"},
  };
  const auto found = special.find(entry.name());
  ConfigValue config =
      found == special.end() ? ConfigValue::object() : parse_json(found->second, "test");
  for (const ParameterSpec& spec : entry.parameters().specs()) {
    if (spec.name == "dirpath" || spec.name == "exclude_batches_path") {
      config.set(spec.name, directory.string());
    } else if (spec.is_required() && !config.contains(spec.name)) {
      if (!spec.choices.empty()) {
        config.set(spec.name, spec.choices.front());
      } else if (spec.types.front() == ParameterType::string) {
        config.set(spec.name, directory.string());
      } else {
        config.set(spec.name, 1);
      }
    }
  }
  return config;
}

}  // namespace grapnel::test
