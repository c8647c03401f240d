#include "grapnel/callbacks/model_checkpoint.h"

#include <limits>

#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/base/clock.h"
#include "grapnel/loggers/memory_logger.h"
#include "temp_dir.h"

namespace model_checkpoint_test {

using namespace grapnel;
using namespace grapnel::test;
namespace fs = std::filesystem;

namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();

TrainerOptions saving(int64_t max_epochs) {
  TrainerOptions options = quiet(max_epochs);
  options.enable_checkpointing = true;
  return options;
}

std::shared_ptr<ModelCheckpoint> run(ModelCheckpointOptions options, std::vector<double> values,
                                     TrainerOptions trainer_options, int64_t batches = 2,
                                     int64_t val = 1) {
  auto checkpoint = std::make_shared<ModelCheckpoint>(std::move(options));
  ScriptedModule module(std::move(values));
  Trainer trainer(std::move(trainer_options), {checkpoint});
  trainer.fit(module, toy_data(batches, val));
  return checkpoint;
}

const std::vector<double> kScores = {5, 3, 4, 2, 6, 1};

}  // namespace

TEST_CASE("ModelCheckpoint keeps the newest epoch by default") {
  const TempDir directory;
  const auto checkpoint = run({.dirpath = directory / "c"}, {}, saving(3));
  CHECK(files_below(directory / "c") == Names{"epoch=2-step=6.ckpt"});
  CHECK(checkpoint->best_model_path() == (directory / "c" / "epoch=2-step=6.ckpt").string());
  CHECK(checkpoint->best_checkpoint() == checkpoint->best_model_path());
  CHECK_FALSE(checkpoint->best_model_score().has_value());
}

TEST_CASE(
    "without a dirpath checkpoints go to the logger's directory, or below the trainer's root") {
  const TempDir directory;
  TrainerOptions options = saving(1);
  options.default_root_dir = directory / "root";
  run({}, {}, options);
  CHECK(files_below(directory.path()) == Names{"root/checkpoints/epoch=0-step=2.ckpt"});

  options.loggers = {
      std::make_shared<MemoryLogger>(MemoryLoggerOptions{.save_dir = directory / "logs"})};
  run({}, {}, options);
  CHECK(files_below(directory / "logs") == Names{"rows/version_0/checkpoints/epoch=0-step=2.ckpt"});
}

TEST_CASE(
    "save_top_k keeps the best k checkpoints and removes the worst when a better one is saved") {
  const TempDir directory;
  const auto best = run({.dirpath = directory / "1", .monitor = "val_loss"}, kScores, saving(6));
  CHECK(files_below(directory / "1") == Names{"epoch=5-step=12.ckpt"});
  CHECK(best->best_model_score() == 1.0);

  const auto two = run({.dirpath = directory / "2",
                        .monitor = "val_loss",
                        .save_top_k = 2,
                        .mode = MonitorMode::max},
                       kScores, saving(6));
  CHECK(files_below(directory / "2") == Names{"epoch=0-step=2.ckpt", "epoch=4-step=10.ckpt"});
  CHECK(two->best_model_score() == 6.0);
  CHECK(two->kth_value() == 5.0);
  CHECK(two->best_k_models().size() == 2);

  run({.dirpath = directory / "all", .monitor = "val_loss", .save_top_k = -1}, kScores, saving(6));
  CHECK(files_below(directory / "all").size() == 6);
  run({.dirpath = directory / "none", .monitor = "val_loss", .save_top_k = 0}, kScores, saving(6));
  CHECK(files_below(directory / "none").empty());
}

TEST_CASE("an equal score is not better, and a NaN score is the worst") {
  const TempDir directory;
  const auto ties =
      run({.dirpath = directory / "ties", .monitor = "val_loss"}, {2, 2, 1, 1}, saving(4));
  CHECK(files_below(directory / "ties") == Names{"epoch=2-step=6.ckpt"});
  const auto nan =
      run({.dirpath = directory / "nan", .monitor = "val_loss", .mode = MonitorMode::max},
          {kNan, 2, 1}, saving(3));
  CHECK(files_below(directory / "nan") == Names{"epoch=1-step=4.ckpt"});
  const auto all = run({.dirpath = directory / "all", .monitor = "val_loss", .save_top_k = 2},
                       {kNan, kNan, kNan}, saving(3));
  CHECK(all->current_score() == std::numeric_limits<double>::infinity());
  CHECK(files_below(directory / "all") == Names{"epoch=0-step=2.ckpt", "epoch=1-step=4.ckpt"});
}

TEST_CASE("save_last keeps the newest checkpoint along with the best, as a file or as a link") {
  const TempDir directory;
  const auto copy =
      run({.dirpath = directory / "copy", .monitor = "val_loss", .save_last = SaveLast::copy},
          {3, 4, 2, 5}, saving(4));
  CHECK(files_below(directory / "copy") == Names{"epoch=2-step=6.ckpt", "last.ckpt"});
  CHECK(copy->last_model_path() == (directory / "copy" / "last.ckpt").string());
  run({.dirpath = directory / "link", .monitor = "val_loss", .save_last = SaveLast::link},
      {3, 4, 2, 5}, saving(4));
  CHECK(files_below(directory / "link") ==
        Names{"epoch=2-step=6.ckpt", "last.ckpt -> epoch=2-step=6.ckpt"});
  run({.dirpath = directory / "only", .save_last = SaveLast::link, .save_top_k = 0}, {}, saving(2));
  CHECK(files_below(directory / "only") == Names{"last.ckpt"});
}

TEST_CASE("every_n_train_steps saves every n steps, and never twice at one step") {
  const TempDir directory;
  run({.dirpath = directory / "steps", .save_top_k = -1, .every_n_train_steps = 2}, {}, saving(2),
      3, 0);
  CHECK(files_below(directory / "steps") ==
        Names{"epoch=0-step=2.ckpt", "epoch=1-step=4.ckpt", "epoch=1-step=6.ckpt"});
  TrainerOptions accumulating = saving(1);
  accumulating.accumulate_grad_batches = 2;
  run({.dirpath = directory / "windows", .save_top_k = -1, .every_n_train_steps = 2}, {},
      accumulating, 8, 0);
  CHECK(files_below(directory / "windows") == Names{"epoch=0-step=2.ckpt", "epoch=0-step=4.ckpt"});
}

TEST_CASE("a checkpoint at a step waits for the validation that logs its metric") {
  const TempDir directory;
  TrainerOptions options = saving(2);
  options.val_check_interval = 0.5;
  run({.dirpath = directory / "c",
       .monitor = "val_loss",
       .save_top_k = -1,
       .every_n_train_steps = 3},
      {3, 2}, options, 4);
  // Step 3 has no fresh metric before the validation at step 4; step 6 has that of step 6.
  CHECK(files_below(directory / "c") == Names{"epoch=0-step=3.ckpt", "epoch=1-step=6.ckpt"});
}

TEST_CASE("saving after a validation needs a metric that is logged by then") {
  class Net final : public ToyModule {
   public:
    StepOutput training_step(Batch& batch, int64_t index) override {
      log("of_the_epoch", 1.0, {.on_step = false, .on_epoch = true});
      return ToyModule::training_step(batch, index);
    }
  };
  const TempDir directory;
  Net module;
  Trainer trainer(saving(2), {std::make_shared<ModelCheckpoint>(
                                 ModelCheckpointOptions{.dirpath = directory / "c",
                                                        .monitor = "of_the_epoch",
                                                        .save_on_train_epoch_end = false})});
  CHECK_THROWS_AS(trainer.fit(module, toy_data()), MetricError);
  CHECK(trainer.current_epoch() == 0);
}

TEST_CASE("train_time_interval saves by the trainer's clock") {
  const TempDir directory;
  static ManualClock clock;
  class Ticking : public ToyModule {
   public:
    StepOutput training_step(Batch& batch, int64_t index) override {
      clock.advance(2.0);
      return ToyModule::training_step(batch, index);
    }
  };
  TrainerOptions options = saving(1);
  options.clock = &clock;
  Ticking module;
  Trainer trainer(options,
                  {std::make_shared<ModelCheckpoint>(ModelCheckpointOptions{
                      .dirpath = directory / "c", .save_top_k = -1, .train_time_interval = 3.0})});
  trainer.fit(module, toy_data(6, 0));
  CHECK(files_below(directory / "c") ==
        Names{"epoch=0-step=2.ckpt", "epoch=0-step=4.ckpt", "epoch=0-step=6.ckpt"});
}

TEST_CASE(
    "a checkpoint whose file name is taken gets a version, unless enable_version_counter is off") {
  const TempDir directory;
  for (int round = 0; round < 2; ++round) {
    run({.dirpath = directory / "c", .save_last = SaveLast::copy}, {}, saving(1));
    run({.dirpath = directory / "off",
         .save_last = SaveLast::copy,
         .enable_version_counter = false},
        {}, saving(1));
  }
  CHECK(files_below(directory / "c") ==
        Names{"epoch=0-step=2-v1.ckpt", "epoch=0-step=2.ckpt", "last-v1.ckpt", "last.ckpt"});
  CHECK(files_below(directory / "off") == Names{"epoch=0-step=2.ckpt", "last.ckpt"});
}

TEST_CASE("checkpoint file names are formatted as Lightning formats them") {
  const ModelCheckpoint plain;
  const ModelCheckpoint::Metrics metrics = {{"epoch", int64_t{3}}, {"step", int64_t{40}},
                                            {"val/loss", 0.12345}, {"acc", 1.0},
                                            {"big", 1e20},         {"small", -1e-5}};
  const auto name = [&](const std::string& text) {
    return plain.format_checkpoint_name(metrics, text);
  };
  CHECK(name("") == "epoch=3-step=40.ckpt");
  CHECK(name("{epoch:03d}-{val/loss:.2f}") == "epoch=003-val/loss=0.12.ckpt");
  CHECK(name("{missing:d}") == "missing=0.ckpt");
  CHECK(name("{missing:.2f}") == "missing=0.00.ckpt");
  CHECK(name("{acc}-{big}-{small}") == "acc=1.0-big=1e+20-small=-1e-05.ckpt");
  CHECK(name("{acc:.1%}") == "acc=100.0%.ckpt");
  CHECK(name("{epoch:>5}|{epoch:<5}|{epoch:^5}|{epoch:*^5}") ==
        "epoch=    3|epoch=3    |epoch=  3  |epoch=**3**.ckpt");
  CHECK(name("{acc:+.3e}|{val/loss:.3}|{val/loss:g}") ==
        "acc=+1.000e+00|val/loss=0.123|val/loss=0.12345.ckpt");
  CHECK(name("{{braces}}") == "{braces}.ckpt");
  CHECK(plain.format_checkpoint_name(metrics, "{epoch}", 2) == "epoch=3-v2.ckpt");
  CHECK(plain.format_checkpoint_name(metrics, "{epoch}", {}, "best") == "best-epoch=3.ckpt");

  const ModelCheckpoint quiet_names(
      {.dirpath = "/a", .filename = "e{epoch:02d}", .auto_insert_metric_name = false});
  CHECK(quiet_names.format_checkpoint_name(metrics) == "/a/e03.ckpt");

  CHECK_THROWS_WITH(name("{acc:d}"), Catch::Contains("'d'") && Catch::Contains("not a format"));
  CHECK_THROWS_WITH(name("{epoch"), Catch::Contains("not closed"));
  CHECK_THROWS_AS(name("{epoch:.f}"), ConfigError);
  CHECK_THROWS_AS(name("epoch}"), ConfigError);
}

TEST_CASE("save_on_exception saves a checkpoint when the run fails") {
  class Failing : public ToyModule {
   public:
    StepOutput training_step(Batch& batch, int64_t index) override {
      if (++calls_ == 4) throw std::runtime_error("scripted");
      return ToyModule::training_step(batch, index);
    }

   private:
    int calls_ = 0;
  };
  const TempDir directory;
  for (const bool asked : {false, true}) {
    Failing module;
    Trainer trainer(saving(2), {std::make_shared<ModelCheckpoint>(ModelCheckpointOptions{
                                   .dirpath = directory / (asked ? "yes" : "no"),
                                   .save_top_k = -1,
                                   .save_on_exception = asked})});
    CHECK_THROWS_WITH(trainer.fit(module, toy_data(2, 1)), "scripted");
  }
  CHECK(files_below(directory / "no") == Names{"epoch=0-step=2.ckpt"});
  CHECK(files_below(directory / "yes") == Names{"epoch=0-step=2.ckpt", "epoch=1-step=3.ckpt"});
}

TEST_CASE("a resume that fails while it starts saves nothing, and leaves last.ckpt as it was") {
  class BadStart final : public ToyModule {
   public:
    OptimizerConfig configure_optimizers() override { throw std::runtime_error("bad start"); }
  };
  const TempDir directory;
  const ModelCheckpointOptions options{.dirpath = directory / "c",
                                       .save_last = SaveLast::link,
                                       .save_top_k = -1,
                                       .save_on_exception = true};
  run(options, {}, saving(1));
  const Names before = files_below(directory / "c");
  BadStart module;
  Trainer trainer(saving(2), {std::make_shared<ModelCheckpoint>(options)});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data(2, 1), {.ckpt_path = "last"}), "bad start");
  CHECK(files_below(directory / "c") == before);
}

TEST_CASE(
    "ModelCheckpoint removes neither the checkpoint that the run was resumed from nor files "
    "elsewhere") {
  const TempDir directory;
  const ModelCheckpointOptions options{.dirpath = directory / "c", .monitor = "val_loss"};
  const auto first = run(options, {5, 4, 3, 2}, saving(2));
  const std::string resumed = first->best_model_path();

  auto second = std::make_shared<ModelCheckpoint>(options);
  ScriptedModule module({5, 4, 3, 2});
  Trainer trainer(saving(4), {second});
  trainer.fit(module, toy_data(2, 1), {.ckpt_path = resumed});
  CHECK(files_below(directory / "c") == Names{"epoch=1-step=4.ckpt", "epoch=3-step=8.ckpt"});
  CHECK(second->best_model_score() == 2.0);

  auto elsewhere = std::make_shared<ModelCheckpoint>(
      ModelCheckpointOptions{.dirpath = directory / "other", .monitor = "val_loss"});
  ScriptedModule again({5, 4, 3, 2});
  Trainer third(saving(3), {elsewhere});
  const CapturedLog log;
  third.fit(again, toy_data(2, 1), {.ckpt_path = resumed});
  CHECK_THAT(log.text(), Catch::Contains("only the path of the best model is restored"));
  CHECK(files_below(directory / "other") == Names{"epoch=2-step=6.ckpt"});
  CHECK(fs::exists(resumed));
}

TEST_CASE("the checkpoint that a run was resumed from through a link is not removed") {
  const TempDir directory;
  const ModelCheckpointOptions options{.dirpath = directory / "c", .monitor = "val_loss"};
  const std::string saved = run(options, {5, 4, 3, 2}, saving(2))->best_model_path();
  const fs::path resumed = directory / "link" / fs::path(saved).filename();
  fs::create_directory_symlink(directory / "c", directory / "link");

  ScriptedModule module({5, 4, 3, 2});
  Trainer trainer(saving(4), {std::make_shared<ModelCheckpoint>(options)});
  trainer.fit(module, toy_data(2, 1), {.ckpt_path = resumed.string()});
  CHECK(files_below(directory / "c") == Names{"epoch=1-step=4.ckpt", "epoch=3-step=8.ckpt"});
}

TEST_CASE("a run that was stopped in a window of accumulation and resumed leaves the same files") {
  const TempDir directory;
  TrainerOptions options = saving(1);
  options.accumulate_grad_batches = 4;
  const ModelCheckpointOptions every{
      .dirpath = directory / "c", .save_top_k = -1, .every_n_train_steps = 1};
  const auto checkpoint = run(every, {}, options, 8, 0);
  const Names whole = files_below(directory / "c");
  CHECK(whole == Names{"epoch=0-step=1.ckpt", "epoch=0-step=2.ckpt"});

  fs::remove(directory / "c" / "epoch=0-step=2.ckpt");
  ScriptedModule module({});
  Trainer trainer(options, {std::make_shared<ModelCheckpoint>(every)});
  trainer.fit(module, toy_data(8, 0),
              {.ckpt_path = (directory / "c" / "epoch=0-step=1.ckpt").string()});
  CHECK(files_below(directory / "c") == whole);
}

TEST_CASE(
    "ModelCheckpoint reports a metric that nothing logs after the first epoch, and fails once it "
    "needs it") {
  const TempDir directory;
  const CapturedLog log;
  CHECK_THROWS_WITH(run({.dirpath = directory / "c", .monitor = "val_lss"}, {1}, saving(2)),
                    Catch::Contains("'val_lss'") && Catch::Contains("'val_loss'"));
  run({.dirpath = directory / "d", .monitor = "val_lss", .every_n_epochs = 5}, {1}, saving(3));
  CHECK_THAT(log.text(), Catch::Contains("warning: ModelCheckpoint monitors 'val_lss'"));
}

TEST_CASE("a checkpoint that can't be written leaves the old one and the records as they were") {
  const TempDir directory;
  class Blocking : public ScriptedModule {
   public:
    using ScriptedModule::ScriptedModule;
    void on_train_epoch_start(Event& event) override {
      // A directory where the second file is to go.
      if (event.trainer.current_epoch() == 1) fs::create_directories(block);
    }
    fs::path block;
  };
  Blocking module({3, 2});
  module.block = directory / "c" / "epoch=1.ckpt" / "in the way";
  auto checkpoint =
      std::make_shared<ModelCheckpoint>(ModelCheckpointOptions{.dirpath = directory / "c",
                                                               .filename = "{epoch}",
                                                               .monitor = "val_loss",
                                                               .enable_version_counter = false});
  TrainerOptions options = saving(2);
  options.default_root_dir = directory / "root";  // what can't be written goes there
  Trainer trainer(options, {checkpoint});
  CHECK_THROWS_AS(trainer.fit(module, toy_data(2, 1)), IoError);
  CHECK(files_below(directory / "root").size() == 1);
  CHECK(files_below(directory / "c") == Names{"epoch=0.ckpt"});
  CHECK(checkpoint->best_model_score() == 3.0);
  CHECK(checkpoint->best_k_models().size() == 1);
}

TEST_CASE(
    "loggers learn of every checkpoint, the best k can be written as YAML, last.ckpt is found") {
  const TempDir directory;
  class Told : public MemoryLogger {
   public:
    void after_save_checkpoint(const fs::path& path) override {
      paths.push_back(path.filename().string());
    }
    std::vector<std::string> paths;
  };
  auto logger = std::make_shared<Told>();
  TrainerOptions options = saving(2);
  options.loggers = {logger};
  auto checkpoint =
      std::make_shared<ModelCheckpoint>(ModelCheckpointOptions{.dirpath = directory / "c",
                                                               .monitor = "val_loss",
                                                               .save_last = SaveLast::copy,
                                                               .save_top_k = 2});
  ScriptedModule module({3, 2});
  Trainer trainer(options, {checkpoint});
  trainer.fit(module, toy_data(2, 1));
  CHECK(logger->paths == std::vector<std::string>{"epoch=0-step=2.ckpt", "last.ckpt",
                                                  "epoch=1-step=4.ckpt", "last.ckpt"});
  CHECK(checkpoint->last_checkpoints(trainer) ==
        std::vector<fs::path>{directory / "c" / "last.ckpt"});
  checkpoint->to_yaml();
  CHECK_THAT(grapnel::test::read_file(directory / "c" / "best_k_models.yaml"),
             Catch::Contains("epoch=0-step=2.ckpt\": 3.0") &&
                 Catch::Contains("epoch=1-step=4.ckpt\": 2.0"));
}

TEST_CASE("fast_dev_run writes no checkpoint") {
  const TempDir directory;
  TrainerOptions options = saving(1);
  options.fast_dev_run = 1;
  run({.dirpath = directory / "c", .save_last = SaveLast::copy}, {}, options);
  CHECK(files_below(directory / "c").empty());
}

TEST_CASE("ModelCheckpoint's state keys are Lightning's") {
  CHECK(ModelCheckpoint().state_key() ==
        "ModelCheckpoint{'monitor': None, 'mode': 'min', 'every_n_train_steps': 0, "
        "'every_n_epochs': 1, 'train_time_interval': None}");
  CHECK(
      ModelCheckpoint({.monitor = "it's", .mode = MonitorMode::max, .train_time_interval = 90061.5})
          .state_key() ==
      "ModelCheckpoint{'monitor': \"it's\", 'mode': 'max', 'every_n_train_steps': 0, "
      "'every_n_epochs': 0, 'train_time_interval': datetime.timedelta(days=1, seconds=3661, "
      "microseconds=500000)}");
}

TEST_CASE("contradictory options of ModelCheckpoint are refused with their values") {
  CHECK_THROWS_WITH(ModelCheckpoint({.save_top_k = -2}),
                    Catch::Contains("save_top_k must be at least -1, found the integer -2"));
  CHECK_THROWS_WITH(ModelCheckpoint({.save_top_k = 3}),
                    Catch::Contains("save_top_k=3 needs a monitor"));
  CHECK_THROWS_WITH(
      ModelCheckpoint({.every_n_train_steps = -3}),
      Catch::Contains("every_n_train_steps must be at least 0, found the integer -3"));
  CHECK_THROWS_WITH(
      ModelCheckpoint({.every_n_train_steps = 1, .every_n_epochs = 2}),
      Catch::Contains("every_n_train_steps=1") && Catch::Contains("every_n_epochs=2"));
  CHECK_THROWS_AS(ModelCheckpoint({.train_time_interval = -1.0}), ConfigError);
}

}  // namespace model_checkpoint_test
