#include "run_record.h"

#include <fmt/format.h>

#include <set>
#include <system_error>
#include <utility>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/log.h>
#include <grapnel/base/text.h>
#include <grapnel/callbacks/model_checkpoint.h>
#include <grapnel/checkpoint_order.h>
#include <grapnel/trainer.h>

#include "checkpoint_places.h"
#include "run_directory.h"
#include "run_log.h"
#include "signals.h"

namespace grapnel::program {

namespace fs = std::filesystem;

namespace {

void move_aside(const fs::path& from, const fs::path& to) {
  std::error_code error;
  if (!fs::exists(from, error)) return;
  fs::rename(from, to, error);
  if (error) throw IoError("move", from, error.value());
}

}  // namespace

RunRecord::RunRecord(TrainingClaim& claim, ConfigValue config, TrainingOrigin origin)
    : claim_(claim), config_(std::move(config)), origin_(origin) {}

// Files in directories that a callback's dirpath names stay: several runs may share those.
void RunRecord::set_former_aside() const {
  const fs::path directory = claim_.directory();
  const fs::path checkpoints = directory / kCheckpointsDirectory;
  if (checkpoints_in(checkpoints, ".ckpt").empty()) return;
  const auto numbered = [&](const char* name, int number) {
    const fs::path plain = name;
    return directory /
           fmt::format("{}-{}{}", plain.stem().string(), number, plain.extension().string());
  };
  std::error_code error;
  int number = 1;
  while (fs::exists(numbered(kCheckpointsDirectory, number), error) ||
         fs::exists(numbered(kRunFile, number), error)) {
    ++number;
  }
  move_aside(checkpoints, numbered(kCheckpointsDirectory, number));
  move_aside(directory / kRunFile, numbered(kRunFile, number));
  move_aside(directory / kPlacesFile, numbered(kPlacesFile, number));
  log_warning(
      "the run directory {} has the checkpoints of another training: they are now in {}, and "
      "its configuration is {}",
      quote(display_path(directory)), quote(display_path(numbered(kCheckpointsDirectory, number))),
      quote(display_path(numbered(kRunFile, number))));
}

void RunRecord::begin() {
  if (has_begun_) return;
  write_config();
  claim_.keep();
  has_begun_ = true;
}

void RunRecord::write_config() const {
  write_file(claim_.directory() / kRunFile, write_json(config_, JsonStyle::pretty),
             Durability::fast);
}

// A signal may have come before the trainer listened.
void RunRecord::setup(StageEvent& event) {
  if (const int number = Signals::first(); number != 0) event.trainer.interrupt(number);
}

void RunRecord::on_train_start(Event& event) {
  if (origin_ == TrainingOrigin::anew && !has_begun_) set_former_aside();
  begin();
  // One directory may be that of several callbacks.
  std::set<fs::path> directories;
  for (const CallbackHandle& handle : event.trainer.callbacks()) {
    const auto* writer = dynamic_cast<const ModelCheckpoint*>(handle.callback.get());
    if (writer != nullptr) directories.insert(fs::path(writer->dirpath()).lexically_normal());
  }
  const fs::path own = fs::weakly_canonical(fs::absolute(claim_.directory()));
  for (const fs::path& directory : directories) {
    const fs::path relative = fs::weakly_canonical(directory).lexically_relative(own);
    const bool is_outside = relative.empty() || *relative.begin() == "..";
    if (is_outside) claim_.claim_checkpoints(directory);
  }
}

void RunRecord::on_checkpoint_written(CheckpointWritten& event) {
  newest_checkpoint_ = event.path;
  std::error_code error;
  try {
    if (has_begun_ && !fs::exists(claim_.directory() / kRunFile, error)) {
      log_warning(
          "{} was removed while the run was training; it is written again, but what else was in {} "
          "is lost",
          kRunFile, quote(display_path(claim_.directory())));
      write_config();
    }
    note_checkpoint_place(claim_.directory(), event.path);
  } catch (const IoError& failure) {
    log_warning("{}", failure.what());
  }
}

// Before other callbacks report what fails because of it.
void RunRecord::on_exception(ExceptionEvent& event) {
  RunLog::show_cause(event.exception);
}

}  // namespace grapnel::program
