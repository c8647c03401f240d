// The directory of one run: run.json as it ran, metrics, checkpoints, predictions.
//
//   runs/mlp-digits-0/run.json
//                     metrics.csv, hparams.yaml
//                     checkpoints/epoch=4-step=230.ckpt, last.ckpt
//
// A new run takes the next free number; a resumed one continues in its directory.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace grapnel::program {

inline constexpr const char* kRunsDirectory = "runs";
inline constexpr const char* kCheckpointsDirectory = "checkpoints";
inline constexpr const char* kRunFile = "run.json";

// Creates runs/NAME-N for the smallest free N; two runs never get the same one. IoError.
[[nodiscard]] std::filesystem::path make_run_directory(const std::string& name);

// The most recently changed directory in runs/ that has checkpoints; nullopt when there is none.
[[nodiscard]] std::optional<std::filesystem::path> latest_run_directory();

// The run directory of a checkpoint ("DIR/checkpoints/last.ckpt" -> "DIR"); nullopt when it is
// elsewhere.
[[nodiscard]] std::optional<std::filesystem::path> run_directory_of(
    const std::filesystem::path& checkpoint);

// The newest checkpoint of a run. CheckpointError when it has none.
[[nodiscard]] std::filesystem::path last_checkpoint(const std::filesystem::path& run_directory);

// The best checkpoint according to the run's ModelCheckpoint, as recorded in the newest checkpoint;
// the newest itself when nothing is recorded. CheckpointError when there is none.
[[nodiscard]] std::filesystem::path best_checkpoint(const std::filesystem::path& run_directory);

}  // namespace grapnel::program
