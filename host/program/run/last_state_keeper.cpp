#include "last_state_keeper.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include <grapnel/base/checkpoint_file.h>
#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/log.h>
#include <grapnel/base/text.h>
#include <grapnel/callbacks/model_checkpoint.h>
#include <grapnel/trainer.h>

#include "run_directory.h"

namespace grapnel::program {

namespace fs = std::filesystem;

namespace {

// The step of a checkpoint of the whole state; nullopt for any other file.
std::optional<std::int64_t> whole_state_step(const fs::path& checkpoint) {
  try {
    const CheckpointFile file = CheckpointFile::open(checkpoint, CheckpointCheck::on_use);
    const ConfigValue& document = file.document();
    if (find_by_path(document, "checkpoint.optimizer_states") == nullptr) return std::nullopt;
    return document.at("checkpoint").at("global_step").as_int();
  } catch (const Error&) {
    return std::nullopt;
  }
}

// A file name that no writer of the configuration uses. One of weights only, whose "last" isn't the
// whole state, takes that name too.
std::string free_name(const std::vector<CallbackHandle>& callbacks) {
  for (const char* const name : {"last", "resume"}) {
    const auto takes = [&](const CallbackHandle& handle) {
      const auto* writer = dynamic_cast<const ModelCheckpoint*>(handle.callback.get());
      if (writer == nullptr) return false;
      const ModelCheckpointOptions& options = writer->options();
      return options.filename == name ||
             (options.save_last != SaveLast::no && options.name_last == name);
    };
    if (std::none_of(callbacks.begin(), callbacks.end(), takes)) return name;
  }
  return "last_state";
}

void add(std::vector<CallbackHandle>& callbacks, const std::shared_ptr<ModelCheckpoint>& keeper) {
  callbacks.emplace_back(keeper, CallbackOrigin::trainer_default, "grapnel");
}

}  // namespace

void keep_last_state(std::vector<CallbackHandle>& callbacks) {
  bool has_checkpoint = false, keeps_last = false, keeps_on_exception = false;
  for (const CallbackHandle& handle : callbacks) {
    const Callback* callback = handle.callback.get();
    has_checkpoint = has_checkpoint || dynamic_cast<const Checkpoint*>(callback) != nullptr;
    const auto* writer = dynamic_cast<const ModelCheckpoint*>(callback);
    if (writer == nullptr || writer->options().save_last == SaveLast::no) continue;
    const bool whole = !writer->options().save_weights_only;
    keeps_last = keeps_last || whole;
    keeps_on_exception = keeps_on_exception || (whole && writer->options().save_on_exception);
  }
  if (!has_checkpoint) {
    add(callbacks, std::make_shared<ModelCheckpoint>(ModelCheckpointOptions{
                       .save_last = SaveLast::link, .save_on_exception = true}));
  } else if (!keeps_last) {
    const auto keeper =
        std::make_shared<ModelCheckpoint>(ModelCheckpointOptions{.filename = free_name(callbacks),
                                                                 .save_on_exception = true,
                                                                 .enable_version_counter = false});
    keeper->set_name("last");
    add(callbacks, keeper);
  } else if (!keeps_on_exception) {
    callbacks.emplace_back(std::make_shared<LastStateKeeper>(), CallbackOrigin::trainer_default,
                           "grapnel");
  }
}

void LastStateKeeper::setup(StageEvent&) {
  saved_step_ = 0;
}

void LastStateKeeper::on_checkpoint_written(CheckpointWritten& event) {
  if (const auto step = whole_state_step(event.path)) saved_step_ = *step;
}

void LastStateKeeper::on_train_end(Event& event) {
  save_if_due(event.trainer);
}

void LastStateKeeper::on_exception(ExceptionEvent& event) {
  save_if_due(event.trainer);
}

void LastStateKeeper::save_if_due(Trainer& trainer) const {
  const bool trained = trainer.state().kind == RunKind::fit && trainer.resumable() &&
                       !trainer.sanity_checking() && trainer.options().fast_dev_run == 0;
  if (!trained) return;
  trainer.finish_checkpoint();  // which may be that of this step
  const std::int64_t step = trainer.global_step();
  const fs::path resumed_from = trainer.ckpt_path();
  if (step == saved_step_) return;
  if (!resumed_from.empty() && whole_state_step(resumed_from) == step) return;
  const fs::path file = trainer.log_dir() / kCheckpointsDirectory / "last.ckpt";
  trainer.save_checkpoint(file);
  log_info("the last state was saved to {}", quote(display_path(file)));
}

}  // namespace grapnel::program
