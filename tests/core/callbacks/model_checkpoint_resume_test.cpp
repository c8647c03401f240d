// ModelCheckpoint over several runs: what a resumed run does with the files of the former one.
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

namespace model_checkpoint_resume_test {

using namespace grapnel;
using namespace grapnel::test;
namespace fs = std::filesystem;

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

TEST_CASE("last.ckpt moves on with the epochs of a training whose batches make no step") {
  const TempDir directory;
  const auto train = [&](int64_t epochs, const fs::path& from) {
    Trace trace;
    auto ender = std::make_shared<Recorder>(trace);
    ender->script = [](const std::string& now, Trainer& trainer) {
      if (now == "on_train_batch_end") trainer.request(RequestKind::end_epoch, "a test");
    };
    TrainerOptions options = saving(epochs);
    options.accumulate_grad_batches = 4;
    ScriptedModule module({});
    Trainer trainer(options,
                    {ender, std::make_shared<ModelCheckpoint>(by_default(directory / "c"))});
    trainer.fit(module, toy_data(3, 1), {.ckpt_path = from.string()});
  };
  const fs::path last = directory / "c/last.ckpt";
  train(1, {});
  const auto epoch = [&] { return load_checkpoint_file(last).at("epoch").to_int(); };
  const int64_t first = epoch();
  train(2, last);
  CHECK(step_of(last) == 0);
  CHECK(epoch() == first + 1);
}

TEST_CASE("a last.ckpt that a failure put off is the newest file of the resumed run") {
  const TempDir directory;
  const auto train = [&](const std::string& name, int fails_at, const std::string& from) {
    ModelCheckpointOptions options{.dirpath = directory / name, .save_last = SaveLast::copy};
    auto checkpoint = std::make_shared<ModelCheckpoint>(options);
    Trace trace;
    auto failing = std::make_shared<Recorder>(trace);
    int saves = 0;
    failing->script = [&](const std::string& now, Trainer& trainer) {
      if (now == "on_save_checkpoint" && ++saves == fails_at) throw std::runtime_error("broken");
      if (now == "on_exception") trainer.save_checkpoint(directory / "kept.ckpt");
    };
    ScriptedModule module({});
    Trainer trainer(saving(1), {checkpoint, failing});
    try {
      trainer.fit(module, toy_data(2, 1), {.ckpt_path = from});
    } catch (const std::runtime_error&) {
    }
    return fs::path(checkpoint->newest_model_path()).filename().string();
  };
  const std::string undisturbed = train("whole", 0, "");
  REQUIRE(undisturbed == "last.ckpt");
  CHECK(train("killed", 2, "") == "epoch=0-step=2.ckpt");  // the failure is that of last.ckpt
  CHECK(train("killed", 0, (directory / "kept.ckpt").string()) == undisturbed);
  CHECK(files_below(directory / "killed") == files_below(directory / "whole"));
}

TEST_CASE(
    "a save that waited for the validation, and failed after its first file, waits no longer") {
  const TempDir directory;
  const auto train = [&](const std::string& name, int fails_at, const std::string& from) {
    ModelCheckpointOptions options{.dirpath = directory / name,
                                   .monitor = "val_loss",
                                   .save_last = SaveLast::copy,
                                   .every_n_train_steps = 2,
                                   .save_on_train_epoch_end = false};
    auto checkpoint = std::make_shared<ModelCheckpoint>(options);
    Trace trace;
    auto failing = std::make_shared<Recorder>(trace);
    int saves = 0;
    failing->script = [&](const std::string& now, Trainer& trainer) {
      if (now == "on_save_checkpoint" && ++saves == fails_at) throw std::runtime_error("broken");
      if (now == "on_exception") trainer.save_checkpoint(directory / "kept.ckpt");
    };
    ScriptedModule module({1});
    Trainer trainer(saving(1), {checkpoint, failing});
    try {
      trainer.fit(module, toy_data(2, 1), {.ckpt_path = from});
    } catch (const std::runtime_error&) {
    }
    return checkpoint->state_dict().at("resume").to_dict().at("deferred").to_bool();
  };
  CHECK_FALSE(train("whole", 0, ""));
  CHECK(train("killed", 2, ""));
  CHECK_FALSE(train("killed", 0, (directory / "kept.ckpt").string()));
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
