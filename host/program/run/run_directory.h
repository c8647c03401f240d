// Where everything of one run goes: run.json as it ran, metrics, checkpoints, predictions.
//
//   runs/mlp-digits-0/run.json
//                     metrics.csv, hparams.yaml
//                     checkpoints/epoch=4-step=230.ckpt, last.ckpt
//
// A new run takes the next free number; a resumed one goes on in its own directory.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace grapnel::program {

inline constexpr const char* kRunsDirectory = "runs";
inline constexpr const char* kCheckpointsDirectory = "checkpoints";
inline constexpr const char* kRunFile = "run.json";

// Makes runs/NAME-N for the smallest N that no run has taken; no two runs get the same. IoError.
[[nodiscard]] std::filesystem::path make_run_directory(const std::string& name);

// The directory below runs/ that was changed last and has checkpoints; nothing when there is none.
[[nodiscard]] std::optional<std::filesystem::path> latest_run_directory();

// The run directory that a checkpoint lies in ("DIR/checkpoints/last.ckpt" -> "DIR"); nothing when
// it lies elsewhere.
[[nodiscard]] std::optional<std::filesystem::path> run_directory_of(
    const std::filesystem::path& checkpoint);

// The newest checkpoint of a run. CheckpointError when it has none.
[[nodiscard]] std::filesystem::path last_checkpoint(const std::filesystem::path& run_directory);

// The checkpoint that the run's ModelCheckpoint counts as its best, as the newest one records it;
// the newest itself when nothing is recorded. CheckpointError when there is none.
[[nodiscard]] std::filesystem::path best_checkpoint(const std::filesystem::path& run_directory);

}  // namespace grapnel::program
