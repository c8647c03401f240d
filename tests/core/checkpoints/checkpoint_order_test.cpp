// The last of several checkpoints, and what ckpt_path = "last" makes of it.
#include "grapnel/checkpoint_order.h"

#include <chrono>

#include "captured_log.h"
#include "catch.h"
#include "grapnel/callbacks/model_checkpoint.h"
#include "grapnel/checkpoint.h"
#include "replaced_checkpoint.h"
#include "temp_dir.h"
#include "toy.h"

namespace checkpoint_order_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

// A checkpoint of these counters; weights only without optimizers.
fs::path save(const fs::path& file, int64_t step, int64_t epoch, bool whole = true) {
  StateDict checkpoint;
  checkpoint["global_step"] = step;
  checkpoint["epoch"] = epoch;
  checkpoint["state_dict"] = StateDict();
  if (whole) checkpoint["optimizer_states"] = StateList();
  (void)save_checkpoint_file(file, checkpoint);
  return file;
}

fs::path last_of(const fs::path& directory, CheckpointUse use = CheckpointUse::resume) {
  return last_checkpoint(checkpoints_in(directory, ".ckpt"), use).file.filename();
}

ModelCheckpointOptions every_epoch(const fs::path& directory) {
  return {.dirpath = directory, .save_last = SaveLast::link, .save_top_k = -1};
}

// Trains up to so many epochs; the steps done after the resume.
int64_t train(const fs::path& directory, int64_t epochs, const std::string& checkpoint) {
  ToyModule module;
  Trainer trainer(
      {.max_epochs = epochs, .enable_progress_bar = false, .enable_model_summary = false},
      {std::make_shared<ModelCheckpoint>(every_epoch(directory))});
  trainer.fit(module, toy_data(2, 1), {.ckpt_path = checkpoint});
  return trainer.global_step();
}

}  // namespace

TEST_CASE("a directory that can't be read is an error, and no directory without checkpoints") {
  const TempDir directory;
  CHECK(checkpoints_in(directory / "none", ".ckpt").empty());
  fs::create_symlink("loop", directory / "loop");
  CHECK_THROWS_AS(checkpoints_in(directory / "loop", ".ckpt"), IoError);
}

TEST_CASE("a checkpoint that can't be read is an error where no other one can be used") {
  const TempDir directory;
  const fs::path taken = save(directory / "taken.ckpt", 1, 1);
  const fs::path unreadable = directory / "folder.ckpt";
  fs::create_directory(unreadable);
  CHECK(last_checkpoint({unreadable, taken}, CheckpointUse::resume).file == taken);
  CHECK_THROWS_AS(last_checkpoint({unreadable}, CheckpointUse::resume), IoError);
}

TEST_CASE("the last checkpoint is the one with most steps, then epochs, then the one named last") {
  const TempDir directory;
  save(directory / "a.ckpt", 30, 3);
  save(directory / "b.ckpt", 20, 2);
  CHECK(last_of(directory.path()) == "a.ckpt");
  save(directory / "c.ckpt", 30, 4);
  CHECK(last_of(directory.path()) == "c.ckpt");
  save(directory / "last.ckpt", 30, 4);
  save(directory / "z.ckpt", 30, 4);
  CHECK(last_of(directory.path()) == "last.ckpt");
}

TEST_CASE("of a file and links to it the file is named, and links to nothing don't matter") {
  const TempDir directory;
  save(directory / "x.ckpt", 1, 0);
  fs::create_symlink("x.ckpt", directory / "last.ckpt");
  fs::create_symlink("gone.ckpt", directory / "last-v1.ckpt");
  fs::create_directory(directory / "directory.ckpt");
  const CheckpointChoice choice =
      last_checkpoint({directory / "last.ckpt", directory / "last-v1.ckpt", directory / "x.ckpt"},
                      CheckpointUse::resume);
  CHECK(choice.file.filename() == "x.ckpt");
  CHECK(choice.left_out.empty());
  CHECK(last_of(directory.path()) == "x.ckpt");
}

TEST_CASE("a file that can't be used is left out with the reason") {
  const TempDir directory;
  save(directory / "good.ckpt", 1, 0);
  save(directory / "weights.ckpt", 5, 0, false);
  save(directory / "old_weights.ckpt", 0, 0, false);
  directory.write("empty.ckpt", "");
  const auto choice =
      last_checkpoint(checkpoints_in(directory.path(), ".ckpt"), CheckpointUse::resume);
  CHECK(choice.file.filename() == "good.ckpt");
  REQUIRE(choice.left_out.size() == 2);
  CHECK_THAT(choice.left_out[0], Contains("empty.ckpt"));
  CHECK_THAT(choice.left_out[1], Contains("weights.ckpt") && Contains("only the model's weights"));
  CHECK(last_of(directory.path(), CheckpointUse::weights) == "weights.ckpt");
  CHECK(last_checkpoint({}, CheckpointUse::weights).file.empty());
}

TEST_CASE(
    "ckpt_path = last resumes from the file that is furthest, not from the one written last") {
  const TempDir directory;
  train(directory / "c", 3, "");
  const fs::path last = directory / "c/last.ckpt";
  const fs::path target = fs::canonical(last);
  fs::remove(last);
  fs::copy_file(target, last);
  fs::copy_file(directory / "c/epoch=0-step=2.ckpt", directory / "c/last-v1.ckpt");
  fs::last_write_time(directory / "c/last-v1.ckpt",
                      fs::last_write_time(last) + std::chrono::hours(1));
  const CapturedLog log;
  train(directory / "c", 4, "last");
  CHECK_THAT(log.text(), Contains("/last.ckpt"));
}

TEST_CASE("a last file that was written later but is less far is told") {
  const TempDir directory;
  save(directory / "far.ckpt", 9, 1);
  const fs::path last = save(directory / "last.ckpt", 4, 0);
  fs::last_write_time(last, fs::last_write_time(directory / "far.ckpt") + std::chrono::hours(1));
  const auto choice =
      last_checkpoint(checkpoints_in(directory.path(), ".ckpt"), CheckpointUse::resume);
  CHECK(choice.file.filename() == "far.ckpt");
  REQUIRE(choice.left_out.size() == 1);
  CHECK_THAT(choice.left_out[0], Contains("last.ckpt") && Contains("step 4, not at 9"));
}

TEST_CASE("ckpt_path = last never begins a training anew because its file is gone or damaged") {
  const TempDir directory;
  train(directory / "c", 2, "");
  const fs::path last = directory / "c/last.ckpt";
  fs::remove(last);
  SECTION("a link that leads nowhere") {
    fs::create_symlink("gone.ckpt", last);
  }
  SECTION("an empty file") {
    directory.write("c/last.ckpt", "");
  }
  {
    const CapturedLog log;
    CHECK(train(directory / "c", 3, "last") == 6);
    CHECK_THAT(log.text(),
               Contains("resuming from the checkpoint") && Contains("epoch=1-step=4.ckpt"));
  }
}

TEST_CASE("a checkpoint is found while a training replaces it") {
  const TempDir directory;
  const ReplacedCheckpoint training(save(directory / "epoch=0.ckpt", 3, 1),
                                    std::chrono::microseconds(200));
  int listed = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::vector<fs::path> files = checkpoints_in(directory.path(), ".ckpt");
    if (!files.empty()) ++listed;
    CHECK_NOTHROW(last_checkpoint(files, CheckpointUse::resume));
  }
  CHECK(listed == 1000);
  CHECK(training.times() > 10);
}

TEST_CASE("ckpt_path = last is refused when none of the files can be used") {
  const TempDir directory;
  directory.write("c/last.ckpt", "nonsense");
  CHECK_THROWS_WITH(train(directory / "c", 3, "last"), Contains("no last checkpoint can be used"));
}

}  // namespace checkpoint_order_test
