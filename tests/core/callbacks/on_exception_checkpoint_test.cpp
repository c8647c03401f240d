#include "grapnel/callbacks/on_exception_checkpoint.h"

#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/base/files.h"
#include "temp_dir.h"

namespace on_exception_checkpoint_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

class FailingOnce : public ToyModule {
 public:
  StepOutput training_step(Batch& batch, int64_t index) override {
    if (fail && trainer().global_step() == 4) throw std::runtime_error("scripted");
    return ToyModule::training_step(batch, index);
  }
  bool fail = true;
};

}  // namespace

TEST_CASE("what a killed process left of a checkpoint of a failure is removed by the next fit") {
  const TempDir directory;
  const std::string stale = ".on_exception.ckpt.tmp-999999999-0-1";
  directory.write(std::filesystem::path("x") / stale, "half");
  directory.write(std::filesystem::path("x") / "mine.txt", "kept");
  TrainerOptions options = quiet(1);
  options.enable_checkpointing = true;
  ToyModule module;
  Trainer trainer(options, {std::make_shared<OnExceptionCheckpoint>(directory / "x")});
  trainer.validate(module, toy_data(1, 1));
  CHECK(files_below(directory / "x") == Names{stale, "mine.txt"});
  trainer.fit(module, toy_data(1, 1));
  CHECK(files_below(directory / "x") == Names{"mine.txt"});
}

TEST_CASE(
    "a failed run saves a checkpoint, the next fit resumes from it, and a good end removes it") {
  const TempDir directory;
  TrainerOptions options = quiet(3);
  options.enable_checkpointing = true;
  FailingOnce module;
  auto checkpoint = std::make_shared<OnExceptionCheckpoint>(directory / "x");
  CHECK(checkpoint->ckpt_path() == directory / "x" / "on_exception.ckpt");
  {
    Trainer trainer(options, {checkpoint});
    CHECK_THROWS_WITH(trainer.fit(module, toy_data(3, 1)), "scripted");
    CHECK(trainer.callbacks().size() == 1);  // no default ModelCheckpoint
  }
  CHECK(files_below(directory / "x") == Names{"on_exception.ckpt"});

  FailingOnce again;
  again.fail = false;
  Trainer trainer(options, {checkpoint});
  CHECK(checkpoint->last_checkpoints(trainer).size() == 1);
  trainer.fit(again, toy_data(3, 1));
  CHECK(trainer.ckpt_path() == checkpoint->ckpt_path());
  CHECK(trainer.global_step() == 9);
  CHECK(files_below(directory / "x").empty());
}

TEST_CASE("OnExceptionCheckpoint refuses an empty file name") {
  CHECK_THROWS_AS(OnExceptionCheckpoint(".", ""), ConfigError);
}

TEST_CASE("a resume that fails at its start keeps the checkpoint that it came from") {
  class BadStart final : public ToyModule {
   public:
    OptimizerConfig configure_optimizers() override { throw std::runtime_error("bad start"); }
  };
  const TempDir directory;
  TrainerOptions options = quiet(3);
  options.enable_checkpointing = true;
  auto checkpoint = std::make_shared<OnExceptionCheckpoint>(directory / "x");
  {
    FailingOnce module;
    Trainer trainer(options, {checkpoint});
    CHECK_THROWS_WITH(trainer.fit(module, toy_data(3, 1)), "scripted");
  }
  const std::string before = read_file(checkpoint->ckpt_path(), 1 << 24);
  BadStart module;
  Trainer trainer(options, {checkpoint});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data(3, 1)), "bad start");
  CHECK(read_file(checkpoint->ckpt_path(), 1 << 24) == before);
}

TEST_CASE("OnExceptionCheckpoint writes and removes its file only in fit") {
  class FailingValidation final : public ToyModule {
   public:
    StepOutput validation_step(Batch&, int64_t, int64_t) override {
      throw std::runtime_error("in validation");
    }
  };
  const TempDir directory;
  TrainerOptions options = quiet(3);
  options.enable_checkpointing = true;
  auto checkpoint = std::make_shared<OnExceptionCheckpoint>(directory / "x");
  Trainer trainer(options, {checkpoint});
  FailingValidation validation;
  CHECK_THROWS(trainer.validate(validation, toy_data(3, 1)));
  CHECK(files_below(directory / "x").empty());

  FailingOnce module;
  CHECK_THROWS_WITH(trainer.fit(module, toy_data(3, 1)), "scripted");
  trainer.validate(module, toy_data(3, 1));
  CHECK(files_below(directory / "x") == Names{"on_exception.ckpt"});
}

}  // namespace on_exception_checkpoint_test
