// Writes a checkpoint (one StateDict, see state_dict.h) to a file and reads it back exactly: every
// kind of value, every key, every bit of every tensor.
//
// The file is the container of <grapnel/base/checkpoint_file.h>. Its tensors are named after their
// paths in the checkpoint:
//
//   state_dict[name]            model.<name>
//   optimizer_states[i]...      optimizers.<i>....
//   callbacks[state key]...     callbacks.<n>....     n: the place of its key in "callback_keys"
//   rng...                      rng....
//   everything else             its path, keys joined by dots
//
// A name that would occur twice gets "#2", "#3", ... Everything else is in the document,
// {"callback_keys": [...], "checkpoint": {...}}, as JSON, with <grapnel/base/document_notation.h>
// for what JSON lacks.
//
// A pruned parameter "weight" is saved as torch.nn.utils.prune names it: "weight_orig" and
// "weight_mask" in state_dict.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string_view>

#include "grapnel/base/checkpoint_file.h"
#include "grapnel/export.h"
#include "grapnel/state_dict.h"

namespace grapnel {

// Writes the file atomically. Tensors may be on any device, in any strided layout, and share
// memory; each is written in full. Throws CheckpointError, before anything is written, for a tensor
// that can't be saved (sparse, quantized, without data), naming its path, and IoError when the file
// can't be written; the old file is then untouched.
GRAPNEL_CORE_API WrittenCheckpoint
save_checkpoint_file(const std::filesystem::path& path, const StateDict& checkpoint,
                     Durability durability = Durability::durable);

// Verifies every byte, then reads the whole file. Tensors are contiguous, on the CPU. Throws
// CheckpointError for a file that is damaged, not a checkpoint or of a newer version, and IoError
// when it can't be read.
GRAPNEL_CORE_API StateDict load_checkpoint_file(const std::filesystem::path& path);

// Throws CheckpointError, naming both shapes and dtypes, unless load_into would accept the saved
// tensor. For checking all tensors before the first is changed.
GRAPNEL_CORE_API void check_loadable(const at::Tensor& live, const at::Tensor& saved,
                                     std::string_view name);

// Copies a saved tensor into the live one, in place, from any device, after check_loadable.
GRAPNEL_CORE_API void load_into(at::Tensor live, const at::Tensor& saved, std::string_view name);

}  // namespace grapnel
