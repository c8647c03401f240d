// Checkpoint files: one StateDict, written whole or not at all, verified before anything is read.
//
// The container is <grapnel/base/checkpoint_file.h>'s: safetensors with checksums. Tensors are
// named by where they stand: "state_dict" becomes model.*, "optimizer_states" optimizers.<i>.*,
// "callbacks" callbacks.<n>.* (the document's table gives the state key of each n), everything else
// by its path. All that is not a tensor is JSON in the document.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>

#include "grapnel/export.h"
#include "grapnel/state_dict.h"

namespace grapnel {

// Throws IoError when the file can't be written (the old one, if any, is then still whole), and
// CheckpointError for a tensor of a type that the format doesn't have (complex, quantized).
GRAPNEL_CORE_API void save_checkpoint_file(const std::filesystem::path& path,
                                           const StateDict& checkpoint);

// Reads and verifies the whole file. Tensors are on the CPU and own their memory. Throws
// CheckpointError saying what is wrong with it, IoError when it can't be read.
GRAPNEL_CORE_API StateDict load_checkpoint_file(const std::filesystem::path& path);

}  // namespace grapnel
