#include "run_record.h"

#include <set>
#include <system_error>
#include <utility>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/log.h>
#include <grapnel/base/text.h>
#include <grapnel/callbacks/model_checkpoint.h>
#include <grapnel/trainer.h>

#include "checkpoint_places.h"
#include "run_directory.h"
#include "run_log.h"
#include "signals.h"

namespace grapnel::program {

namespace fs = std::filesystem;

RunRecord::RunRecord(TrainingClaim& claim, ConfigValue config)
    : claim_(claim), config_(std::move(config)) {}

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
