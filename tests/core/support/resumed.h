// Trains a BackboneModule with callbacks: in one go, and killed somewhere and resumed by new
// objects. Both must end with the same bits: the model's weights, and all that the last epoch's
// checkpoint holds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "backbone.h"
#include "grapnel/checkpoint.h"
#include "recorder.h"
#include "temp_dir.h"

namespace grapnel::test {

struct ResumedTraining {
  std::function<std::vector<CallbackHandle>()> callbacks;
  int64_t epochs = 5;
  int64_t batches = 3;
  int64_t val_batches = 1;
  int64_t sanity_steps = 0;
  std::function<void(const std::filesystem::path& checkpoint)> before_resume = {};

  using Weights = std::map<std::string, at::Tensor>;

  Weights in_one_go() const {
    at::manual_seed(7);
    return result({});
  }

  // Saves at the n-th call of a hook, from 1, and is killed there.
  Weights killed_at(const std::string& hook, int at_call) const {
    return stopped_at(hook, at_call, /*saves_in_hook=*/true);
  }
  // Fails there, and saves in on_exception.
  Weights failed_at(const std::string& hook, int at_call) const {
    return stopped_at(hook, at_call, /*saves_in_hook=*/false);
  }

 private:
  Weights stopped_at(const std::string& hook, int at_call, bool saves_in_hook) const {
    const TempDir directory;
    const std::filesystem::path file = directory / "killed.ckpt";
    at::manual_seed(7);
    {
      Trace trace;
      auto killer = std::make_shared<Recorder>(trace);
      int calls = 0;
      killer->script = [&](const std::string& now, Trainer& trainer) {
        if (now == "on_exception" && !saves_in_hook) trainer.save_checkpoint(file);
        if (now != hook || ++calls != at_call) return;
        if (saves_in_hook) trainer.save_checkpoint(file);
        throw std::runtime_error("killed");
      };
      std::vector<CallbackHandle> all = callbacks();
      all.emplace_back(killer);
      BackboneModule module;
      Trainer trainer(options(), std::move(all));
      try {
        trainer.fit(module, toy_data(batches, val_batches));
      } catch (const std::runtime_error&) {
      }
    }
    if (before_resume) before_resume(file);
    at::manual_seed(99);  // what the new process happens to have must not matter
    return result(file);
  }

  TrainerOptions options() const {
    TrainerOptions options = quiet(epochs);
    options.num_sanity_val_steps = sanity_steps;
    return options;
  }

  Weights result(const std::filesystem::path& checkpoint) const {
    const TempDir directory;
    const std::filesystem::path file = directory / "end.ckpt";
    Trace trace;
    auto saver = std::make_shared<Recorder>(trace);
    saver->script = [&](const std::string& now, Trainer& trainer) {
      if (now == "on_train_epoch_end") trainer.save_checkpoint(file);
    };
    std::vector<CallbackHandle> all = callbacks();
    all.emplace_back(saver);
    BackboneModule module;
    Trainer trainer(options(), std::move(all));
    trainer.fit(module, toy_data(batches, val_batches), {.ckpt_path = checkpoint.string()});
    Weights result = module.copies();
    add_numbers(load_checkpoint_file(file), "checkpoint", result);
    return result;
  }

  // Tensors and numbers at any depth. Left out is how often a batch was begun: one that was killed
  // within is begun again.
  static void add_numbers(const StateValue& value, const std::string& path, Weights& result) {
    if (path.ends_with("batch_progress.total.ready") || path.ends_with("validated_at_batch"))
      return;
    if (value.is_tensor()) result[path] = value.to_tensor();
    if (value.is_int() || value.is_double()) result[path] = at::scalar_tensor(value.to_double());
    if (value.is_bool()) result[path] = at::scalar_tensor(value.to_bool());
    if (value.is_dict()) {
      for (const auto& [key, child] : value.to_dict()) add_numbers(child, path + "." + key, result);
    }
    if (value.is_list()) {
      const StateList& list = value.to_list();
      for (size_t i = 0; i < list.size(); ++i) {
        add_numbers(list[i], path + "." + std::to_string(i), result);
      }
    }
  }
};

// Places within an epoch and a batch, not at the start and the end of a training.
inline const std::vector<std::pair<std::string, int>>& places_to_be_killed() {
  static const std::vector<std::pair<std::string, int>> places = {
      {"on_train_epoch_start", 1}, {"on_train_epoch_start", 3},   {"on_train_batch_start", 5},
      {"on_train_batch_end", 3},   {"on_train_batch_end", 8},     {"on_train_batch_end", 13},
      {"on_validation_end", 2},    {"on_validation_end", 4},      {"on_train_epoch_end", 2},
      {"on_train_epoch_end", 4},   {"on_after_optimizer_step", 4}};
  return places;
}

}  // namespace grapnel::test
