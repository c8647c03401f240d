// ModelCheckpoint over several runs: what a resumed run does with the files of the former one.
#include <ATen/core/grad_mode.h>

#include "../support/recorder.h"
#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/base/clock.h"
#include "grapnel/callbacks/model_checkpoint.h"
#include "grapnel/checkpoint.h"
#include "grapnel/optim/sgd.h"
#include "temp_dir.h"

namespace model_checkpoint_resume_test {

using namespace grapnel;
using namespace grapnel::test;
namespace fs = std::filesystem;

namespace {

TrainerOptions saving(int64_t max_epochs) {
  TrainerOptions options = quiet(max_epochs);
  options.enable_checkpointing = true;
  return options;
}

// Trains with a new trainer and module, 2 batches an epoch.
std::shared_ptr<ModelCheckpoint> run(const ModelCheckpointOptions& options, int64_t max_epochs,
                                     const fs::path& from = {}, std::vector<double> scores = {}) {
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

void fail(const ModelCheckpointOptions& options, int nth_step, const fs::path& from = {},
          const std::vector<double>& scores = {}) {
  Failing module(nth_step, scores);
  Trainer trainer(saving(10), {std::make_shared<ModelCheckpoint>(options)});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data(2, 1), {.ckpt_path = from.string()}), "scripted");
}

int64_t step_of(const fs::path& checkpoint) {
  return load_checkpoint_file(checkpoint).at("global_step").to_int();
}

// The epochs' files and the newest of them as a link, as the program keeps them.
ModelCheckpointOptions by_default(const fs::path& directory) {
  return {.dirpath = directory, .save_last = SaveLast::link, .save_on_exception = true};
}

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

TEST_CASE("last.ckpt of a resumed run is the one file that the former run had") {
  const TempDir directory;
  for (const SaveLast kind : {SaveLast::link, SaveLast::copy}) {
    const fs::path c = directory / (kind == SaveLast::link ? "link" : "copy");
    ModelCheckpointOptions options = by_default(c);
    options.save_last = kind;
    run(options, 1);
    CHECK(step_of(c / "last.ckpt") == 2);
    run(options, 3, c / "epoch=0-step=2.ckpt");
    CHECK(step_of(c / "last.ckpt") == 6);
    CHECK_FALSE(fs::exists(c / "last-v1.ckpt"));
  }
}

TEST_CASE("last.ckpt moves on after a failure before the second save") {
  const TempDir directory;
  const ModelCheckpointOptions options = by_default(directory / "c");
  fail(options, 2);
  CHECK(files_below(directory / "c") ==
        Names{"epoch=0-step=1.ckpt", "last.ckpt -> epoch=0-step=1.ckpt"});
  run(options, 2, directory / "c" / "last.ckpt");
  CHECK(files_below(directory / "c") ==
        Names{"epoch=1-step=4.ckpt", "last.ckpt -> epoch=1-step=4.ckpt"});
}

TEST_CASE("a run that is resumed with nothing left to do makes last.ckpt the newest state") {
  const TempDir directory;
  for (const SaveLast kind : {SaveLast::link, SaveLast::copy}) {
    const fs::path c = directory / (kind == SaveLast::link ? "link" : "copy");
    ModelCheckpointOptions options = by_default(c);
    options.save_last = kind;
    options.save_top_k = -1;
    options.save_on_exception = false;
    // As left by a process that was killed after the second file and before "last".
    run(options, 1);
    fs::copy(c, directory / "before",
             fs::copy_options::recursive | fs::copy_options::copy_symlinks |
                 fs::copy_options::overwrite_existing);
    run(options, 2, c / "epoch=0-step=2.ckpt");
    fs::remove(c / "last.ckpt");
    fs::copy(directory / "before" / "last.ckpt", c / "last.ckpt", fs::copy_options::copy_symlinks);
    fs::remove_all(directory / "before");
    REQUIRE(step_of(c / "last.ckpt") == 2);

    run(options, 2, c / "epoch=1-step=4.ckpt");
    CHECK(step_of(c / "last.ckpt") == 4);
    CHECK_FALSE(fs::exists(c / "last-v1.ckpt"));
  }
}

TEST_CASE("last.ckpt of another run in the same directory is left alone") {
  const TempDir directory;
  ModelCheckpointOptions options = by_default(directory / "c");
  options.save_top_k = -1;
  run(options, 1);
  run(options, 2);  // from the start
  CHECK(files_below(directory / "c") ==
        Names{"epoch=0-step=2-v1.ckpt", "epoch=0-step=2.ckpt", "epoch=1-step=4.ckpt",
              "last-v1.ckpt -> epoch=1-step=4.ckpt", "last.ckpt -> epoch=0-step=2.ckpt"});
  run(options, 3, directory / "c" / "epoch=0-step=2-v1.ckpt");
  CHECK(fs::read_symlink(directory / "c" / "last.ckpt") == "epoch=0-step=2.ckpt");
  CHECK(fs::read_symlink(directory / "c" / "last-v1.ckpt") == "epoch=2-step=6.ckpt");
}

TEST_CASE("last.ckpt moves on also when a run goes back to its first checkpoint") {
  const TempDir directory;
  for (const SaveLast kind : {SaveLast::link, SaveLast::copy}) {
    const fs::path c = directory / (kind == SaveLast::link ? "link" : "copy");
    const ModelCheckpointOptions options{.dirpath = c, .save_last = kind, .save_top_k = -1};
    run(options, 3);
    run(options, 2, c / "epoch=0-step=2.ckpt");
    CHECK(step_of(c / "last.ckpt") == 4);
    CHECK_FALSE(fs::exists(c / "last-v1.ckpt"));
  }
}

TEST_CASE("a run goes on in a directory that was moved or copied") {
  const TempDir directory;
  ModelCheckpointOptions options = by_default(directory / "a" / "c");
  options.monitor = "val_loss";
  options.save_top_k = 2;
  const std::vector<double> scores = {5, 4, 3, 2, 1};
  run(options, 2, {}, scores);
  fs::copy(directory / "a", directory / "copy",
           fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  fs::rename(directory / "a", directory / "moved");
  for (const char* name : {"copy", "moved"}) {
    const fs::path c = directory / name / "c";
    options.dirpath = c;
    const CapturedLog log;
    const auto checkpoint = run(options, 4, c / "last.ckpt", scores);
    CHECK(log.text().find("only the path of the best model") == std::string::npos);
    CHECK(files_below(c) ==
          Names{"epoch=2-step=6.ckpt", "epoch=3-step=8.ckpt", "last.ckpt -> epoch=3-step=8.ckpt"});
    CHECK(checkpoint->best_k_models().size() == 2);
    CHECK(checkpoint->best_model_path() == (c / "epoch=3-step=8.ckpt").string());
  }
}

TEST_CASE("last.ckpt holds the end of a training whose last step is none to save at") {
  const TempDir directory;
  for (const SaveLast kind : {SaveLast::link, SaveLast::copy}) {
    const fs::path c = directory / (kind == SaveLast::link ? "link" : "copy");
    const ModelCheckpointOptions options{.dirpath = c, .save_last = kind, .every_n_train_steps = 3};
    run(options, 2);
    CHECK(step_of(c / "last.ckpt") == 4);
    CHECK(step_of(c / "epoch=1-step=3.ckpt") == 3);
    run(options, 4, c / "last.ckpt");
    CHECK(step_of(c / "last.ckpt") == 8);
    CHECK_FALSE(fs::exists(c / "last-v1.ckpt"));
  }
}

TEST_CASE(
    "save_last writes the end of a second fit, and of a resumed one, that saves nothing else") {
  const TempDir directory;
  for (const SaveLast kind : {SaveLast::link, SaveLast::copy}) {
    const fs::path c = directory / (kind == SaveLast::link ? "link" : "copy");
    const ModelCheckpointOptions options{.dirpath = c, .save_last = kind, .every_n_epochs = 10};
    ScriptedModule module({});
    Trainer trainer(saving(2), {std::make_shared<ModelCheckpoint>(options)});
    trainer.fit(module, toy_data(2, 1));
    CHECK(step_of(c / "last.ckpt") == 4);
    trainer.set_max_epochs(3);
    trainer.fit(module, toy_data(2, 1));
    CHECK(step_of(c / "last.ckpt") == 6);
    run(options, 5, c / "last.ckpt");
    CHECK(step_of(c / "last.ckpt") == 10);
    CHECK(files_below(c) == Names{"last.ckpt"});
  }
}

TEST_CASE("last.ckpt leads to a file whenever the loggers are told of one") {
  const TempDir directory;
  // Looks at the moment when the file that "last" pointed to would be gone.
  class Looking final : public Callback {
   public:
    explicit Looking(fs::path link) : link_(std::move(link)) {}
    void on_checkpoint_written(CheckpointWritten&) override {
      if (fs::is_symlink(link_)) leads_to_a_file = leads_to_a_file && fs::exists(link_);
    }
    bool leads_to_a_file = true;

   private:
    fs::path link_;
  };
  const fs::path c = directory / "c";
  auto looking = std::make_shared<Looking>(c / "last.ckpt");
  const ModelCheckpointOptions options = by_default(c);
  // The name of "last" can't be made a link: what it replaces must still be there.
  class Blocked final : public ScriptedModule {
   public:
    explicit Blocked(fs::path last) : ScriptedModule({}), last_(std::move(last)) {}
    void on_train_epoch_start(Event& event) override {
      if (event.trainer.current_epoch() != 1) return;
      fs::rename(last_, fs::path(last_) += ".old");
      fs::create_directories(last_ / "in the way");
    }

   private:
    fs::path last_;
  };
  Blocked blocked(c / "last.ckpt");
  Trainer trainer(saving(2), {looking, std::make_shared<ModelCheckpoint>(options)});
  CHECK_THROWS_AS(trainer.fit(blocked, toy_data(2, 1)), IoError);
  CHECK(looking->leads_to_a_file);
  CHECK(fs::exists(c / "last.ckpt.old"));        // still a link to a file
  CHECK(fs::exists(c / "epoch=0-step=2.ckpt"));  // which has not been removed
}

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

TEST_CASE(
    "last.ckpt of a run is its own also where the checkpoint was written elsewhere before it") {
  const TempDir directory;
  const fs::path c = directory / "c";
  const ModelCheckpointOptions options{.dirpath = c, .save_last = SaveLast::copy, .save_top_k = 0};
  const auto fit = [&](int64_t epochs, const fs::path& from) {
    Trace trace;
    auto saver = std::make_shared<Recorder>(trace);
    saver->script = [&](const std::string& now, Trainer& trainer) {
      if (now == "on_train_start" && from.empty()) {
        trainer.save_checkpoint(directory / "start.ckpt");
      }
    };
    ScriptedModule module({});
    Trainer trainer(saving(epochs), {saver, std::make_shared<ModelCheckpoint>(options)});
    trainer.fit(module, toy_data(2, 1), {.ckpt_path = from.string()});
  };
  fit(2, {});
  CHECK(files_below(c) == Names{"last.ckpt"});
  fit(3, directory / "start.ckpt");
  CHECK(files_below(c) == Names{"last.ckpt"});
  CHECK(step_of(c / "last.ckpt") == 6);
  // Another training's is left alone, then and when it is resumed.
  fit(2, {});
  fit(3, directory / "start.ckpt");
  CHECK(files_below(c) == Names{"last-v1.ckpt", "last.ckpt"});
}

TEST_CASE("a stop within the first epoch comes before the epoch's metric, which is no error") {
  const TempDir directory;
  TrainerOptions options = saving(2);
  options.check_val_every_n_epoch = std::nullopt;  // the first validation is in the second epoch
  options.val_check_interval = 6;
  Trace trace;
  auto stopper = std::make_shared<Recorder>(trace);
  stopper->script = [](const std::string& now, Trainer& trainer) {
    if (now == "on_train_batch_end") trainer.request_stop("enough");
  };
  ToyModule module;
  module.train_loss_options = {.on_step = false, .on_epoch = true};
  Trainer trainer(options, {stopper, std::make_shared<ModelCheckpoint>(ModelCheckpointOptions{
                                         .dirpath = directory / "c", .monitor = "train_loss"})});
  trainer.fit(module, toy_data(4, 1));
  CHECK(trainer.global_step() == 1);
}

TEST_CASE("a ModelCheckpoint that is used for a second model begins anew") {
  const TempDir directory;
  auto checkpoint = std::make_shared<ModelCheckpoint>(ModelCheckpointOptions{
      .dirpath = directory / "c", .filename = "{epoch}-{val_loss:.1f}", .monitor = "val_loss"});
  ScriptedModule first({1, 1});
  Trainer(saving(2), {checkpoint}).fit(first, toy_data(2, 1));
  ScriptedModule second({9, 8});
  Trainer(saving(2), {checkpoint}).fit(second, toy_data(2, 1));
  CHECK(checkpoint->best_model_score() == 8.0);
  CHECK(fs::path(checkpoint->best_model_path()).filename() == "epoch=1-val_loss=8.0.ckpt");
  CHECK(files_below(directory / "c") ==
        Names{"epoch=0-val_loss=1.0.ckpt", "epoch=1-val_loss=8.0.ckpt"});
}

TEST_CASE("a checkpoint's name that leads out of dirpath is refused") {
  for (const char* name : {"../../evil-{epoch}", "/tmp/evil", "a/../../b"}) {
    CHECK_THROWS_WITH(ModelCheckpoint({.filename = name}),
                      Catch::Contains("filename is") && Catch::Contains("without '..'"));
    CHECK_THROWS_WITH(ModelCheckpoint({.name_last = name}), Catch::Contains("name_last is"));
  }
  CHECK_NOTHROW(ModelCheckpoint({.filename = "sub/{epoch}..{step}"}));
}

}  // namespace model_checkpoint_resume_test
