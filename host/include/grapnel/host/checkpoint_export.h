// A checkpoint's weights as a plain safetensors file, without LibTorch, for
// `grapnel checkpoint export`: under the model's own names, so that PyTorch's load_state_dict() and
// the safetensors package take them as they are. A pruned parameter is written as the model uses
// it, "weight", and not as "weight_orig" and "weight_mask".
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace grapnel::host {

struct ExportOptions {
  // Instead of the trained weights those which were in their place when the file was written, an
  // average for instance.
  bool leased = false;
  // Instead of the trained weights those that the state of this callback holds under their names:
  // an average. The state key, or its start; empty: none.
  std::string callback;
};

struct ExportedWeights {
  std::uint64_t tensors = 0;
  std::uint64_t bytes = 0;   // of the file
  std::uint64_t folded = 0;  // pruned parameters
  std::uint64_t replaced = 0;
};

// Verifies what it reads and replaces `to` atomically. CheckpointError for a file that is damaged
// or has no such weights, ConfigError for an unknown callback, IoError.
ExportedWeights export_weights(const std::filesystem::path& checkpoint,
                               const std::filesystem::path& to, const ExportOptions& options = {});

}  // namespace grapnel::host
