// Short trainings with a ModelCheckpoint, over several runs: new objects each time, as a process that is
// started again has them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "catch.h"
#include "grapnel/callbacks/model_checkpoint.h"
#include "grapnel/checkpoint.h"
#include "scripted.h"

namespace grapnel::test {

namespace fs = std::filesystem;

inline TrainerOptions saving(int64_t max_epochs) {
  TrainerOptions options = quiet(max_epochs);
  options.enable_checkpointing = true;
  return options;
}

// Trains with a new trainer and module, 2 batches an epoch.
inline std::shared_ptr<ModelCheckpoint> run(const ModelCheckpointOptions& options,
                                            int64_t max_epochs, const fs::path& from = {},
                                            std::vector<double> scores = {}) {
  auto checkpoint = std::make_shared<ModelCheckpoint>(options);
  ScriptedModule module(std::move(scores));
  Trainer trainer(saving(max_epochs), {checkpoint});
  trainer.fit(module, toy_data(2, 1), {.ckpt_path = from.string()});
  return checkpoint;
}

// Fails in the nth training step of a run.
class Failing : public ScriptedModule {
 public:
  explicit Failing(int nth, std::vector<double> scores = {})
      : ScriptedModule(std::move(scores)), nth_(nth) {}
  StepOutput training_step(Batch& batch, int64_t index) override {
    if (++calls_ == nth_) throw std::runtime_error("scripted");
    return ScriptedModule::training_step(batch, index);
  }

 private:
  int nth_;
  int calls_ = 0;
};

inline void fail(const ModelCheckpointOptions& options, int nth_step, const fs::path& from = {},
                 const std::vector<double>& scores = {}) {
  Failing module(nth_step, scores);
  Trainer trainer(saving(10), {std::make_shared<ModelCheckpoint>(options)});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data(2, 1), {.ckpt_path = from.string()}), "scripted");
}

inline int64_t step_of(const fs::path& checkpoint) {
  return load_checkpoint_file(checkpoint).at("global_step").to_int();
}

// The epochs' files and the newest of them as a link, as the program keeps them.
inline ModelCheckpointOptions by_default(const fs::path& directory) {
  return {.dirpath = directory, .save_last = SaveLast::link, .save_on_exception = true};
}

}  // namespace grapnel::test
