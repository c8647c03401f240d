// What can be seen of a run from outside, in the form of `expect`.
#pragma once

#include <grapnel/module.h>
#include <grapnel/trainer.h>

#include <filesystem>
#include <string>

#include "json.h"

namespace grapnel::oracle {

// Every parameter, then every buffer: {name: [elements]}.
Json observe_weights(Module& module);
// "<parameter>_mask" of every pruned one, as 0 and 1.
Json observe_masks(Module& module);
Json observe_state_dict_keys(Module& module);
Json observe_requires_grad(Module& module);

// [optimizer][group] {"lr", "params": names}, and the rates alone.
Json observe_optimizers(const Trainer& trainer);
Json observe_lr(const Trainer& trainer);

// "global_step", "current_epoch", "should_stop", ... fitted: there was a fit, which settles max_epochs.
Json observe_final(const Trainer& trainer, bool fitted);
Json observe_metrics(const MetricDict& metrics);

// Sorted paths below a directory; links as "a -> target".
Json observe_files(const std::filesystem::path& directory);
// {path: parsed content} of the *.json below it.
Json observe_json_files(const std::filesystem::path& directory);
// {path: description} of the *.ckpt below it. `weights`, `loops`: with their tensors and counters.
Json observe_checkpoints(const std::filesystem::path& directory, bool weights, bool loops);
// The text of metrics.csv and the scalars of the TensorBoard event file below it.
Json observe_csv(const std::filesystem::path& directory);
Json observe_tensorboard(const std::filesystem::path& directory);

// The state of each ready callback, in the trainer's order.
Json observe_callbacks(const Trainer& trainer);
// Class names, "(tag)" appended for tagged ones.
Json observe_callbacks_order(const Trainer& trainer);

}  // namespace grapnel::oracle
