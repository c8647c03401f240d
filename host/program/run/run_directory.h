// The directory of one run: run.json as it ran, metrics, checkpoints, predictions.
//
//   runs/mlp-digits-0/run.json
//                     metrics.csv, hparams.yaml
//                     checkpoints/epoch=4-step=230.ckpt, last.ckpt
//                     checkpoints.json     where other checkpoints are (checkpoint_places.h)
//                     .lock                held while a process trains here (training_claim.h)
//
// A new run takes the next free number; a resumed one continues in its directory.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>

#include <grapnel/checkpoint_order.h>

namespace grapnel::program {

inline constexpr const char* kRunsDirectory = "runs";
inline constexpr const char* kCheckpointsDirectory = "checkpoints";
inline constexpr const char* kRunFile = "run.json";

// The most recently changed directory in runs/ that has checkpoints; nullopt when there is none.
[[nodiscard]] std::optional<std::filesystem::path> latest_run_directory();

// The run directory of a checkpoint ("DIR/checkpoints/last.ckpt" -> "DIR"); nullopt when it is
// elsewhere.
[[nodiscard]] std::optional<std::filesystem::path> run_directory_of(
    const std::filesystem::path& checkpoint);

[[nodiscard]] bool has_checkpoints(const std::filesystem::path& run_directory);

// The checkpoint that is furthest in the run (grapnel/checkpoint_order.h); what is left out on the
// way to it is a warning. CheckpointError when there is none, or none that can be used.
[[nodiscard]] std::filesystem::path last_checkpoint(const std::filesystem::path& run_directory,
                                                    CheckpointUse use);

// The best checkpoint according to the run's ModelCheckpoint, as recorded in the last checkpoint;
// the last itself when nothing is recorded. CheckpointError as above.
[[nodiscard]] std::filesystem::path best_checkpoint(const std::filesystem::path& run_directory);

// Calls use() after choose(), and again where the chosen file was removed in between by a training
// that still runs. IoError when that doesn't end.
void with_present_checkpoint(const std::function<std::filesystem::path()>& choose,
                             const std::function<void()>& use);

}  // namespace grapnel::program
