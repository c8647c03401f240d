// Summarizes a checkpoint without LibTorch, for `grapnel checkpoint show`.
//
// The document's format is core's (core/include/grapnel/checkpoint.h). Missing parts are skipped:
// callbacks and modules edit checkpoints, which may contain anything.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <grapnel/base/checkpoint_file.h>
#include <grapnel/base/json.h>

namespace grapnel::host {

// Tensors that belong together, by the first part of their names: "model", "optimizers", "rng".
struct TensorGroup {
  std::string name;
  std::vector<TensorEntry> tensors;  // names without the group's, in the order of their names
  std::uint64_t elements = 0;
  std::uint64_t bytes = 0;
};

// The state of one callback.
struct CallbackState {
  std::string key;             // its state key: "<plugin id>/<callback>/..." for a plugin's
  std::string plugin_version;  // that wrote it; empty when it is not a plugin's
  std::vector<std::string> fields;
  ConfigValue state;  // with {"$tensor": name} in place of each tensor
  std::uint64_t tensors = 0;
  std::uint64_t tensor_bytes = 0;
};

struct CheckpointSummary {
  std::filesystem::path path;
  std::uint64_t bytes = 0;
  std::int64_t format_version = 0;
  std::string sha256;                       // as recorded in the file, hexadecimal
  std::string grapnel_version;              // that wrote it
  std::optional<std::int64_t> epoch;        // from 0
  std::optional<std::int64_t> global_step;  // optimizer steps finished
  std::optional<std::int64_t> batches;      // of the epoch, finished
  std::optional<std::size_t> optimizers;    // nothing: only the model's weights were saved
  std::size_t schedulers = 0;
  std::vector<TensorGroup> groups;       // "model" first, then by name
  std::vector<CallbackState> callbacks;  // in the order of the run
  ConfigValue hyper_parameters;          // null when there are none

  [[nodiscard]] const TensorGroup* find(const std::string& group) const& noexcept;
  const TensorGroup* find(const std::string& group) const&& = delete;  // it would dangle
};

// Reads the document; of the tensors only names, types and shapes. CheckpointError, IoError.
[[nodiscard]] CheckpointSummary summarize_checkpoint(const std::filesystem::path& path);

// As `grapnel checkpoint show --json` prints it.
[[nodiscard]] ConfigValue to_json(const CheckpointSummary& summary);

}  // namespace grapnel::host
