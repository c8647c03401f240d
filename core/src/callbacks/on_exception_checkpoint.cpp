#include "grapnel/callbacks/on_exception_checkpoint.h"

#include <system_error>
#include <utility>

#include "callbacks/checkpoint_files.h"
#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/log.h"
#include "grapnel/trainer.h"

namespace grapnel {

namespace fs = std::filesystem;

OnExceptionCheckpoint::OnExceptionCheckpoint(fs::path dirpath, std::string filename)
    : OnExceptionCheckpoint(OnExceptionCheckpointOptions{std::move(dirpath), std::move(filename)}) {
}

OnExceptionCheckpoint::OnExceptionCheckpoint(OnExceptionCheckpointOptions options)
    : options_(std::move(options)) {
  options_table().check(options_, "OnExceptionCheckpoint");
}

const OptionsTable<OnExceptionCheckpointOptions>& OnExceptionCheckpoint::options_table() {
  using O = OnExceptionCheckpointOptions;
  static const OptionsTable<O> table(
      "on_exception_checkpoint", "Writes a checkpoint when a run fails.",
      {option("dirpath", &O::dirpath).required().doc("Directory of the file."),
       option("filename", &O::filename).filled().doc("Name of the file, without extension.")});
  return table;
}

fs::path OnExceptionCheckpoint::ckpt_path() const {
  return options_.dirpath / (options_.filename + ".ckpt");
}

std::vector<fs::path> OnExceptionCheckpoint::last_checkpoints(const Trainer&) const {
  std::error_code error;
  if (!fs::is_regular_file(ckpt_path(), error)) return {};
  return {ckpt_path()};
}

void OnExceptionCheckpoint::setup(StageEvent& event) {
  if (event.run != RunKind::fit || event.trainer.options().fast_dev_run != 0) return;
  static_cast<void>(remove_stale_temporaries(ckpt_path().parent_path()));
}

void OnExceptionCheckpoint::on_exception(ExceptionEvent& event) {
  // Before the training has made progress, the file would only replace a more advanced one.
  if (event.trainer.options().fast_dev_run != 0 || !event.trainer.resumable()) return;
  try {
    event.trainer.save_checkpoint(ckpt_path());
  } catch (const IoError& error) {
    // What ends the run is another error, and its state is saved elsewhere.
    log_warning("{}", error.what());
  }
}

// Lightning removes the file in teardown, after a mere validation or test too, and with it what the
// failed training had reached.
void OnExceptionCheckpoint::on_run_end(RunEnd& event) {
  const bool ended_well = event.outcome == Outcome::finished || event.outcome == Outcome::stopped;
  // A search by a Tuner is a fit that ends before it is resumable.
  if (ended_well && event.trainer.resumable()) remove_checkpoint(ckpt_path());
}

}  // namespace grapnel
