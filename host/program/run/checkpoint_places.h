// The directories in which a run's checkpoints are. RUN/checkpoints is one always; others, chosen by
// a callback's dirpath or a logger's directory, are noted in RUN/checkpoints.json when the first
// checkpoint is written there:
//
//   {"checkpoints": [{"directory": "../elsewhere", "extension": ".ckpt"}]}
//
// A directory below RUN or beside it is noted relative to RUN, so that both can be moved together.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace grapnel::program {

inline constexpr const char* kPlacesFile = "checkpoints.json";

struct CheckpointPlace {
  std::filesystem::path directory;
  std::string extension;
};

// RUN/checkpoints first. A damaged note is left out, with a warning.
[[nodiscard]] std::vector<CheckpointPlace> checkpoint_places(
    const std::filesystem::path& run_directory);

// Notes the place of a checkpoint unless it is known. IoError.
void note_checkpoint_place(const std::filesystem::path& run_directory,
                           const std::filesystem::path& checkpoint);

}  // namespace grapnel::program
