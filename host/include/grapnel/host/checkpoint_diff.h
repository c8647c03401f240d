// What two checkpoints differ in, without LibTorch, for `grapnel checkpoint diff`.
//
// Both documents are walked together, so a tensor is compared with the one in the same place of the
// other checkpoint, whatever the two are called in their files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/base/json.h>

namespace grapnel::host {

struct TensorType {
  std::string dtype;
  std::vector<std::int64_t> shape;
};

// "callbacks.ema/ema.average.weight": keys joined by dots.
struct TensorDifference {
  std::string place;
  std::optional<TensorType> a;  // nothing: the tensor is in the other one only
  std::optional<TensorType> b;
  // Of tensors of one type. The largest |a - b|; NaN where only one is NaN.
  std::optional<double> max_difference;
  std::uint64_t elements = 0;  // that differ
};

struct ValueDifference {
  std::string place;
  std::optional<ConfigValue> a;  // nothing: it is in the other one only
  std::optional<ConfigValue> b;
};

struct CheckpointDiff {
  std::uint64_t equal_tensors = 0;
  std::vector<TensorDifference> tensors;
  std::vector<ValueDifference> values;  // counters, states of callbacks, everything else

  [[nodiscard]] bool equal() const noexcept { return tensors.empty() && values.empty(); }
};

// below: only what is there: "state_dict", "callbacks"; empty: everything. CheckpointError when a
// file is damaged or neither has such a part, IoError.
[[nodiscard]] CheckpointDiff diff_checkpoints(const std::filesystem::path& a,
                                              const std::filesystem::path& b,
                                              std::string_view below = {});

// As `grapnel checkpoint diff --json` prints it.
[[nodiscard]] ConfigValue to_json(const CheckpointDiff& diff);

}  // namespace grapnel::host
