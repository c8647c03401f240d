// A checkpoint (one StateDict, see state_dict.h) as a file and back, exactly: every kind of value,
// every key, every bit of every tensor.
//
// The file is the container of <grapnel/base/checkpoint_file.h>. Its tensors are named after where
// they stand in the checkpoint:
//
//   state_dict[name]            model.<name>
//   optimizer_states[i]...      optimizers.<i>....
//   callbacks[state key]...     callbacks.<n>....     n: the place of its key in "callback_keys"
//   rng...                      rng....
//   everything else             its path, keys joined by dots
//
// A name that would occur twice gets "#2", "#3", ... Everything that is no tensor stands in the
// document, {"callback_keys": [...], "checkpoint": {...}}, as the JSON one expects, and what JSON
// lacks as an object with one key that starts with "$":
//
//   {"$tensor": "model.weight"}   a tensor of the file; complex ones as pairs of numbers, with
//                                 "dtype": "complex64" or "complex128" beside it
//   {"$tensor": null}             an undefined tensor
//   {"$number": "nan"}            a double that is not finite: "nan", "inf", "-inf"
//   {"$bytes": "00ff"}            a string that is not UTF-8, in hexadecimal
//   {"$dict": [[key, value]]}     a dict with a key that is not UTF-8 or starts with "$"
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string_view>

#include "grapnel/base/checkpoint_file.h"
#include "grapnel/export.h"
#include "grapnel/state_dict.h"

namespace grapnel {

// Writes the file in one atomic step. Tensors may lie on any device, in any layout, and share
// memory; each is written as a whole of its own. Throws CheckpointError, before anything is
// written, for a tensor that has no place in the file (sparse, quantized, without data), naming
// where it stands, and IoError when the file can't be written: then the old file is still whole.
GRAPNEL_CORE_API WrittenCheckpoint
save_checkpoint_file(const std::filesystem::path& path, const StateDict& checkpoint,
                     Durability durability = Durability::durable);

// Reads all of it, after verifying every byte. Tensors come contiguous, on the CPU. Throws
// CheckpointError for a file that is damaged, no checkpoint or of a newer version, IoError when it
// can't be read.
GRAPNEL_CORE_API StateDict load_checkpoint_file(const std::filesystem::path& path);

// Would load_into take the saved tensor? Throws CheckpointError naming both shapes or dtypes if
// not. For checking all tensors before the first is changed.
GRAPNEL_CORE_API void check_loadable(const at::Tensor& live, const at::Tensor& saved,
                                     std::string_view name);

// Copies a saved tensor into the live one, in place, from any device, after check_loadable.
GRAPNEL_CORE_API void load_into(at::Tensor live, const at::Tensor& saved, std::string_view name);

}  // namespace grapnel
