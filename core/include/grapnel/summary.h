// What a model is made of: its layers with their parameters, sizes and operations, and the sums.
//
//   log_text(LogLevel::info, summarize(model, 2).to_text());
//
// After Lightning's ModelSummary. Sizes and operations are found by one forward pass of the
// module's example_input() in eval mode without gradients; modes and random generators are put
// back. Layers show theirs when they are wrapped to be observed (observed.h), else "?"; the sum of
// the operations is that of the whole pass in any case.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grapnel/base/text_table.h"
#include "grapnel/export.h"
#include "grapnel/module.h"

namespace grapnel {

struct LayerSummary {
  std::string name;
  std::string type;
  int64_t num_parameters = 0;  // with those of the layers below it
  bool training = true;
  std::optional<int64_t> flops = 0;  // of the pass; nothing: can't be observed
  std::string in_size = "?";         // "[2, 4]", or "[[2, 4], [2, 1]]" for several inputs
  std::string out_size = "?";
};

struct GRAPNEL_CORE_API Summary {
  std::vector<LayerSummary> layers;  // down to the depth that was asked for
  bool has_sizes = false;            // there was an example input
  int64_t total_parameters = 0;
  int64_t trainable_parameters = 0;
  int64_t other_parameters = 0;  // in none of the layers listed
  double model_size = 0.0;       // of the parameters, in millions of bytes
  int64_t modules_in_train_mode = 0;
  int64_t modules_in_eval_mode = 0;
  int64_t total_flops = 0;

  // One row per layer.
  TextTable table() const;
  // Below the table: label and value, "137" and "Trainable params".
  std::vector<std::pair<std::string, std::string>> totals() const;
  // A table of plain text and the totals below it.
  std::string to_text() const;
};

// max_depth: levels of layers to list; 0: none, -1: all. Throws ConfigError below -1. Where the
// module has an example_input() that its forward fails with, a warning says so, and the summary has
// no sizes.
GRAPNEL_CORE_API Summary summarize(Module& module, int64_t max_depth = 1);

}  // namespace grapnel
