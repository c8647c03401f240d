// Trains a BackboneModule with callbacks: in one go, and killed somewhere and resumed by new objects.
// Both must end with the same bits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "backbone.h"
#include "recorder.h"
#include "temp_dir.h"

namespace grapnel::test {

struct ResumedTraining {
  std::function<std::vector<CallbackHandle>()> callbacks;
  int64_t epochs = 5;
  int64_t batches = 3;
  int64_t val_batches = 1;

  using Weights = std::map<std::string, at::Tensor>;

  Weights in_one_go() const {
    at::manual_seed(7);
    BackboneModule module;
    Trainer trainer(quiet(epochs), callbacks());
    trainer.fit(module, toy_data(batches, val_batches));
    return module.copies();
  }

  // Saves at the n-th call of a hook, from 1, and is killed there.
  Weights killed_at(const std::string& hook, int at_call) const {
    const TempDir directory;
    const std::filesystem::path file = directory / "killed.ckpt";
    at::manual_seed(7);
    {
      Trace trace;
      auto killer = std::make_shared<Recorder>(trace);
      int calls = 0;
      killer->script = [&](const std::string& now, Trainer& trainer) {
        if (now != hook || ++calls != at_call) return;
        trainer.save_checkpoint(file);
        throw std::runtime_error("killed");
      };
      std::vector<CallbackHandle> all = callbacks();
      all.emplace_back(killer);
      BackboneModule module;
      Trainer trainer(quiet(epochs), std::move(all));
      try {
        trainer.fit(module, toy_data(batches, val_batches));
      } catch (const std::runtime_error&) {
      }
    }
    at::manual_seed(99);  // what the new process happens to have must not matter
    BackboneModule module;
    Trainer trainer(quiet(epochs), callbacks());
    trainer.fit(module, toy_data(batches, val_batches), {.ckpt_path = file.string()});
    return module.copies();
  }
};

// Places within epoch and batch, beside the start and the end of a training.
inline const std::vector<std::pair<std::string, int>>& places_to_be_killed() {
  static const std::vector<std::pair<std::string, int>> places = {
      {"on_train_epoch_start", 1}, {"on_train_epoch_start", 3}, {"on_train_batch_start", 5},
      {"on_train_batch_end", 3},   {"on_train_batch_end", 8},   {"on_train_batch_end", 13},
      {"on_validation_end", 2},    {"on_validation_end", 4},    {"on_train_epoch_end", 2},
      {"on_train_epoch_end", 4}};
  return places;
}

}  // namespace grapnel::test
