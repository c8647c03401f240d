// An evaluation of a checkpoint loads weights and leaves the training's bookkeeping alone.
#include "../support/recorder.h"
#include "catch.h"
#include "grapnel/callbacks/early_stopping.h"
#include "grapnel/callbacks/model_checkpoint.h"
#include "grapnel/callbacks/timer.h"
#include "temp_dir.h"
#include "toy.h"

namespace evaluation_between_fits_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// Counts batches in its state, and the calls of loading.
class Counting : public Callback {
 public:
  std::string type_name() const override { return "Counting"; }
  void on_train_batch_end(TrainBatchEnd&) override { ++batches; }
  void on_load_checkpoint(LoadCheckpoint&) override { ++hooks; }
  StateDict state_dict() const override { return {{"batches", batches}}; }
  void load_state_dict(const StateDict& state) override {
    batches = state.at("batches").to_int();
    ++loads;
  }
  int64_t batches = 0;
  int hooks = 0;
  int loads = 0;
};

class CountingData : public DataModule {
 public:
  std::shared_ptr<DataLoader> train_dataloader() override {
    ++epochs;
    return std::make_shared<ToyLoader>(3);
  }
  DataLoaders val_dataloaders() override { return {std::make_shared<ToyLoader>(2, 100)}; }
  StateDict state_dict() const override { return {{"epochs", epochs}}; }
  void load_state_dict(const StateDict& state) override { epochs = state.at("epochs").to_int(); }
  int64_t epochs = 0;
};

// Its val_loss is best after the first epoch.
class WorseningModule : public ToyModule {
 public:
  StepOutput validation_step(Batch& batch, int64_t, int64_t) override {
    log("val_loss", static_cast<double>(
                        trainer().state().kind == RunKind::fit ? trainer().current_epoch() : 0));
    return loss_of(batch);
  }
};

struct Result {
  int64_t wait_count;
  int64_t epochs;
  std::vector<std::string> best;
  int64_t batches;
  int64_t data_epochs;
};

Result train(const std::string& between) {
  const TempDir directory;
  WorseningModule module;
  CountingData data;
  const auto stopping =
      std::make_shared<EarlyStopping>("val_loss", EarlyStoppingOptions{.patience = 6});
  const auto saving = std::make_shared<ModelCheckpoint>(ModelCheckpointOptions{
      .dirpath = directory.path(), .filename = "{epoch}", .monitor = "val_loss", .save_top_k = 2});
  const auto counting = std::make_shared<Counting>();
  TrainerOptions options = quiet(4);
  options.enable_checkpointing = true;
  Trainer trainer(options, {stopping, counting, saving});
  trainer.fit(module, data);
  if (!between.empty()) trainer.validate(module, data, {.ckpt_path = between, .verbose = false});
  CHECK(counting->hooks == (between.empty() ? 0 : 1));
  CHECK(counting->loads == 0);
  trainer.set_max_epochs(20);
  trainer.fit(module, data);
  Result result{
      stopping->wait_count(), trainer.current_epoch(), {}, counting->batches, data.epochs};
  for (const auto& [file, score] : saving->best_k_models()) {
    result.best.push_back(std::filesystem::path(file).filename().string());
  }
  return result;
}

}  // namespace

TEST_CASE("a validation of the best checkpoint between two fits doesn't rewind what they count") {
  const Result without = train("");
  const Result with = train("best");
  CHECK(with.wait_count == without.wait_count);
  CHECK(with.epochs == without.epochs);
  CHECK(with.best == without.best);
  CHECK(with.batches == without.batches);
  CHECK(with.data_epochs == without.data_epochs);
}

TEST_CASE("an evaluation loads the checkpoint's weights, and all state where nothing was trained") {
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  at::Tensor saved;
  {
    ToyModule module;
    CountingData data;
    Trainer trainer(quiet(2), {std::make_shared<Counting>()});
    trainer.fit(module, data);
    trainer.save_checkpoint(file);
    saved = module.weight.detach().clone();
  }
  const auto counting = std::make_shared<Counting>();
  ToyModule module;
  CountingData data;
  Trainer trainer(quiet(2), {counting});
  trainer.validate(module, data, {.ckpt_path = file.string()});
  CHECK(at::equal(module.weight.detach(), saved));
  CHECK(counting->hooks == 1);
  CHECK(counting->batches == 6);
  CHECK(data.epochs == 1);
}

}  // namespace evaluation_between_fits_test
