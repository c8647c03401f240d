// The text of one bar: "Epoch 3:  67%|██████▋   | 200/300 [00:07<00:03, 28.10it/s, loss=0.123]".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grapnel/progress.h"

namespace grapnel {

struct BarState {
  std::string description;
  std::int64_t n = 0;
  std::optional<std::int64_t> total;
  double elapsed = 0.0;              // seconds
  std::optional<double> per_second;  // nothing while there is no telling
  std::vector<std::string> postfix;  // "loss=0.123"; see postfix_texts
};

// width: columns, at most; nothing: as long as it takes, with a bar of 10. Metrics that don't fit
// are left out whole: half a number would be another number.
std::string bar_line(const BarState& state, std::optional<int> width, bool utf8);

// "v_num=0", "loss=0.123"
std::vector<std::string> postfix_texts(const Postfix& postfix);

}  // namespace grapnel
