#include "last_state_keeper.h"

#include <algorithm>
#include <memory>

#include <grapnel/base/checkpoint_file.h>
#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/log.h>
#include <grapnel/base/text.h>
#include <grapnel/callbacks/model_checkpoint.h>
#include <grapnel/trainer.h>

#include "run_directory.h"

namespace grapnel::program {
namespace {

bool holds_whole_state(const std::filesystem::path& checkpoint) {
  try {
    const CheckpointFile file = CheckpointFile::open(checkpoint, CheckpointCheck::on_use);
    return find_by_path(file.document(), "checkpoint.optimizer_states") != nullptr;
  } catch (const Error&) {
    return false;
  }
}

void add(std::vector<CallbackHandle>& callbacks, const std::shared_ptr<ModelCheckpoint>& keeper) {
  callbacks.emplace_back(keeper, CallbackOrigin::trainer_default, "grapnel");
}

}  // namespace

void keep_last_state(std::vector<CallbackHandle>& callbacks) {
  bool has_checkpoint = false, keeps_last = false, keeps_on_exception = false, takes_name = false;
  for (const CallbackHandle& handle : callbacks) {
    const Callback* callback = handle.callback.get();
    has_checkpoint = has_checkpoint || dynamic_cast<const Checkpoint*>(callback) != nullptr;
    const auto* writer = dynamic_cast<const ModelCheckpoint*>(callback);
    if (writer == nullptr || writer->options().save_last == SaveLast::no) continue;
    const bool whole = !writer->options().save_weights_only;
    takes_name = takes_name || !whole;
    keeps_last = keeps_last || whole;
    keeps_on_exception = keeps_on_exception || (whole && writer->options().save_on_exception);
  }
  if (!has_checkpoint) {
    return add(callbacks, std::make_shared<ModelCheckpoint>(ModelCheckpointOptions{
                              .save_last = SaveLast::link, .save_on_exception = true}));
  }
  if (!keeps_last) {
    const char* const name = takes_name ? "resume" : "last";
    const auto keeper = std::make_shared<ModelCheckpoint>(ModelCheckpointOptions{
        .filename = name, .save_on_exception = true, .enable_version_counter = false});
    keeper->set_name("last");
    return add(callbacks, keeper);
  }
  if (!keeps_on_exception) {
    callbacks.emplace_back(std::make_shared<LastStateKeeper>(), CallbackOrigin::trainer_default,
                           "grapnel");
  }
}

void LastStateKeeper::setup(StageEvent& event) {
  file_ = event.trainer.log_dir() / kCheckpointsDirectory / "last.ckpt";
  saved_step_.reset();
}

void LastStateKeeper::on_checkpoint_written(CheckpointWritten& event) {
  if (holds_whole_state(event.path)) saved_step_ = event.trainer.global_step();
}

void LastStateKeeper::on_train_end(Event& event) {
  save(event.trainer);
}

void LastStateKeeper::on_exception(ExceptionEvent& event) {
  save(event.trainer);
}

void LastStateKeeper::save(Trainer& trainer) {
  const bool trained = trainer.state().kind == RunKind::fit && trainer.resumable() &&
                       !trainer.sanity_checking() && trainer.options().fast_dev_run == 0;
  if (!trained || trainer.global_step() == saved_step_.value_or(0)) return;
  trainer.save_checkpoint(file_);
  log_info("the last state was saved to {}", quote(display_path(file_)));
}

}  // namespace grapnel::program
