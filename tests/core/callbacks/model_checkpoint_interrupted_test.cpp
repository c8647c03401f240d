// ModelCheckpoint after a run that was killed, failed or interrupted, and what it waits for over a resume.
#include <ATen/core/grad_mode.h>

#include "../support/checkpointed_runs.h"
#include "../support/recorder.h"
#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/base/clock.h"
#include "grapnel/callbacks/model_checkpoint.h"
#include "grapnel/checkpoint.h"
#include "grapnel/optim/sgd.h"
#include "temp_dir.h"

namespace model_checkpoint_interrupted_test {

using namespace grapnel;
using namespace grapnel::test;
namespace fs = std::filesystem;

namespace {

// Two optimizer steps a batch.
class TwoSteps final : public ToyModule {
 public:
  TwoSteps() { automatic_optimization = false; }
  StepOutput training_step(Batch& batch, int64_t) override {
    manual_backward(loss_of(batch));
    for (int i = 0; i < 2; ++i) optimizers().step();
    return {};
  }
};

}  // namespace

TEST_CASE("the file of an interruption goes once the resumed run has saved") {
  const TempDir directory;
  for (const int64_t k : {1, -1}) {
    const fs::path c = directory / std::to_string(k);
    ModelCheckpointOptions options = by_default(c);
    options.save_top_k = k;
    fail(options, 4);                   // at step 3
    fail(options, 2, c / "last.ckpt");  // again, at step 4 or 5
    run(options, 4, c / "last.ckpt");
    Names expected = {"epoch=3-step=8.ckpt", "last.ckpt -> epoch=3-step=8.ckpt"};
    if (k == -1) {
      expected.insert({"epoch=0-step=2.ckpt", "epoch=1-step=4.ckpt", "epoch=2-step=6.ckpt"});
    }
    CHECK(files_below(c) == expected);
  }
}

TEST_CASE("what a killed run had replaced and not yet removed is removed by the resumed one") {
  const TempDir directory;
  const ModelCheckpointOptions options = by_default(directory / "c");
  // The first file comes back after the second was written: as if it had never been removed.
  run(options, 1);
  const fs::path first = directory / "c" / "epoch=0-step=2.ckpt";
  fs::copy_file(first, directory / "kept");
  {
    auto checkpoint = std::make_shared<ModelCheckpoint>(options);
    ScriptedModule module({});
    Trainer trainer(saving(2), {checkpoint});
    trainer.fit(module, toy_data(2, 1), {.ckpt_path = (directory / "kept").string()});
  }
  fs::copy_file(directory / "kept", first);
  run(options, 3, directory / "c" / "last.ckpt");
  CHECK_FALSE(fs::exists(first));
}

TEST_CASE("a checkpoint that could not be removed is removed later") {
  const TempDir directory;
  const fs::path first = directory / "c" / "epoch=0-step=2.ckpt";
  class Holding final : public ScriptedModule {
   public:
    explicit Holding(fs::path file) : ScriptedModule({}), file_(std::move(file)) {}
    // A directory that isn't empty in its place can't be removed.
    void on_train_epoch_start(Event& event) override {
      if (event.trainer.current_epoch() == 1) {
        fs::remove(file_);
        fs::create_directories(file_ / "held");
      }
      if (event.trainer.current_epoch() == 2) fs::remove(file_ / "held");
    }

   private:
    fs::path file_;
  };
  Holding module(first);
  const CapturedLog log;
  Trainer trainer(
      saving(3),
      {std::make_shared<ModelCheckpoint>(ModelCheckpointOptions{.dirpath = directory / "c"})});
  trainer.fit(module, toy_data(2, 1));
  CHECK_THAT(log.text(), Catch::Contains("cannot remove the checkpoint"));
  CHECK_FALSE(fs::exists(first));
}

TEST_CASE("a file that a killed run had written already is not written again under a version") {
  const TempDir directory;
  ModelCheckpointOptions options{.dirpath = directory / "c", .save_top_k = -1};
  TrainerOptions seeded = saving(3);
  seeded.seed = 5;
  const auto fit = [&](const fs::path& from, double scale) {
    ScriptedModule module({});
    {
      const at::NoGradGuard no_grad;
      module.weight.fill_(scale);
    }
    Trainer trainer(seeded, {std::make_shared<ModelCheckpoint>(options)});
    trainer.fit(module, toy_data(2, 1), {.ckpt_path = from.string()});
  };
  fit({}, 1.0);
  const Names whole = files_below(directory / "c");
  fs::copy_file(directory / "c" / "epoch=0-step=2.ckpt", directory / "elsewhere.ckpt");
  fit(directory / "elsewhere.ckpt", 1.0);
  CHECK(files_below(directory / "c") == whole);
  // Going back to a file of the directory is on purpose.
  fit(directory / "c" / "epoch=1-step=4.ckpt", 1.0);
  CHECK(files_below(directory / "c").contains("epoch=2-step=6-v1.ckpt"));
  fs::remove(directory / "c" / "epoch=2-step=6-v1.ckpt");
  // Another training keeps its hands off.
  fit({}, 2.0);
  CHECK(files_below(directory / "c").contains("epoch=2-step=6-v1.ckpt"));
}

TEST_CASE("save_on_exception never overwrites the best checkpoint") {
  const TempDir directory;
  const fs::path c = directory / "c";
  const ModelCheckpointOptions options{
      .dirpath = c, .filename = "best", .monitor = "val_loss", .save_on_exception = true};
  fail(options, 4, {}, {1, 2});
  CHECK(step_of(c / "best.ckpt") == 2);
  CHECK(step_of(c / "best-v1.ckpt") == 3);
  run(options, 3, c / "best-v1.ckpt", {1, 2, 0.5});
  CHECK(step_of(c / "best.ckpt") == 6);
  CHECK(files_below(c) == Names{"best.ckpt"});
}

TEST_CASE("every_n_train_steps counts from the last time where a batch makes several steps") {
  const TempDir directory;
  for (const auto& [every, expected] :
       std::vector<std::pair<int64_t, Names>>{{5, {"6.ckpt", "12.ckpt", "18.ckpt", "24.ckpt"}},
                                              {7, {"8.ckpt", "16.ckpt", "24.ckpt"}}}) {
    const fs::path c = directory / std::to_string(every);
    ModelCheckpointOptions options{.dirpath = c,
                                   .filename = "{step}",
                                   .save_top_k = -1,
                                   .auto_insert_metric_name = false,
                                   .every_n_train_steps = every};
    TwoSteps module;
    Trainer trainer(saving(2), {std::make_shared<ModelCheckpoint>(options)});
    trainer.fit(module, toy_data(6, 0));
    CHECK(files_below(c) == expected);
    // A resumed run counts on.
    for (const std::string& name : expected) {
      if (name != "6.ckpt" && name != "8.ckpt") fs::remove(c / name);
    }
    TwoSteps again;
    Trainer resumed(saving(2), {std::make_shared<ModelCheckpoint>(options)});
    resumed.fit(again, toy_data(6, 0),
                {.ckpt_path = (c / (every == 5 ? "6.ckpt" : "8.ckpt")).string()});
    CHECK(files_below(c) == expected);
  }
}

TEST_CASE(
    "a checkpoint whose saving another callback's failure ended is saved by the resumed run") {
  for (const bool by_time : {false, true}) {
    INFO("by time " << by_time);
    const TempDir directory;
    ManualClock clock;
    const auto train = [&](const std::string& name, int fails_at, const std::string& from) {
      ModelCheckpointOptions options{.dirpath = directory / name};
      if (by_time) {
        options.train_time_interval = 3;
      } else {
        options.every_n_train_steps = 3;
      }
      Trace trace;
      auto failing = std::make_shared<Recorder>(trace);
      int saves = 0;
      failing->script = [&](const std::string& now, Trainer& trainer) {
        if (now == "on_train_batch_start") clock.advance(1);
        if (now == "on_save_checkpoint" && ++saves == fails_at) throw std::runtime_error("broken");
        if (now == "on_exception") trainer.save_checkpoint(directory / "kept.ckpt");
      };
      TrainerOptions trainer_options = saving(2);
      trainer_options.clock = &clock;
      ScriptedModule module({});
      Trainer trainer(trainer_options, {std::make_shared<ModelCheckpoint>(options), failing});
      try {
        trainer.fit(module, toy_data(4, 1), {.ckpt_path = from});
      } catch (const std::runtime_error&) {
      }
      return files_below(directory / name);
    };
    const Names whole = train("whole", 0, "");
    REQUIRE(whole == Names{"epoch=1-step=6.ckpt"});
    CHECK(train("killed", 2, "") == Names{"epoch=0-step=3.ckpt"});
    CHECK(train("killed", 0, (directory / "kept.ckpt").string()) == whole);
  }
}

TEST_CASE("a resumed run waits for the rest of train_time_interval") {
  const TempDir directory;
  static ManualClock clock;
  class Ticking final : public ToyModule {
   public:
    StepOutput training_step(Batch& batch, int64_t index) override {
      clock.advance(2.0);
      return ToyModule::training_step(batch, index);
    }
  };
  TrainerOptions options = saving(1);
  options.clock = &clock;
  const ModelCheckpointOptions timed{
      .dirpath = directory / "c", .save_top_k = -1, .train_time_interval = 5.0};
  const auto fit = [&](const fs::path& from) {
    Ticking module;
    Trainer trainer(options, {std::make_shared<ModelCheckpoint>(timed)});
    trainer.fit(module, toy_data(8, 0), {.ckpt_path = from.string()});
  };
  // Every third batch: 6 seconds.
  fit({});
  CHECK(files_below(directory / "c") == Names{"epoch=0-step=3.ckpt", "epoch=0-step=6.ckpt"});

  // Saved by somebody else after the fourth batch, 2 seconds after the last time.
  class Saver final : public Callback {
   public:
    explicit Saver(fs::path path) : path_(std::move(path)) {}
    void on_train_batch_end(TrainBatchEnd& event) override {
      if (event.trainer.global_step() == 4) event.trainer.save_checkpoint(path_);
    }

   private:
    fs::path path_;
  };
  fs::remove_all(directory / "c");
  {
    Ticking module;
    Trainer trainer(options, {std::make_shared<Saver>(directory / "at 4.ckpt"),
                              std::make_shared<ModelCheckpoint>(timed)});
    trainer.fit(module, toy_data(8, 0));
  }
  fs::remove_all(directory / "c");
  fit(directory / "at 4.ckpt");
  CHECK(files_below(directory / "c") == Names{"epoch=0-step=6.ckpt"});
}

TEST_CASE("a resumed run that has nothing left to do keeps the time since the last checkpoint") {
  const TempDir directory;
  ManualClock clock;
  TrainerOptions options = saving(1);
  options.clock = &clock;
  const auto waited = [&](const fs::path& from) {
    Trace trace;
    auto timing = std::make_shared<Recorder>(trace);
    timing->script = [&](const std::string& now, Trainer& trainer) {
      if (now == "on_train_batch_end") clock.advance(2);
      if (now == "on_fit_end") trainer.save_checkpoint(directory / "end.ckpt");
    };
    ToyModule module;
    auto saver = std::make_shared<ModelCheckpoint>(
        ModelCheckpointOptions{.dirpath = directory / "c", .train_time_interval = 100.0});
    Trainer trainer(options, {timing, saver});
    trainer.fit(module, toy_data(8, 0), {.ckpt_path = from.string()});
    const StateDict state = saver->state_dict();
    return state.at("resume").to_dict().at("waited").to_double();
  };
  CHECK(waited({}) == 16);
  CHECK(waited(directory / "end.ckpt") == 16);
}

TEST_CASE("last.ckpt holds the end also when the run was killed before it and has nothing left") {
  const TempDir directory;
  const fs::path c = directory / "c";
  const ModelCheckpointOptions options{
      .dirpath = c, .save_last = SaveLast::copy, .every_n_epochs = 10};
  const auto fit = [&](const fs::path& from) {
    Trace trace;
    auto killer = std::make_shared<Recorder>(trace);
    killer->script = [&](const std::string& now, Trainer& trainer) {
      if (now != "on_train_epoch_end" || trainer.current_epoch() != 1) return;
      trainer.save_checkpoint(directory / "end.ckpt");
      throw std::runtime_error("killed");
    };
    ScriptedModule module({});
    Trainer trainer(saving(2), {killer, std::make_shared<ModelCheckpoint>(options)});
    trainer.fit(module, toy_data(2, 1), {.ckpt_path = from.string()});
  };
  CHECK_THROWS_WITH(fit({}), "killed");
  CHECK(files_below(c) == Names{});
  run(options, 2, directory / "end.ckpt");
  CHECK(files_below(c) == Names{"last.ckpt"});
  CHECK(step_of(c / "last.ckpt") == 4);
  const auto written = fs::last_write_time(c / "last.ckpt");
  run(options, 2, c / "last.ckpt");
  CHECK(fs::last_write_time(c / "last.ckpt") == written);
}

}  // namespace model_checkpoint_interrupted_test
