// What a search for a learning rate found: the loss at each rate tried, the rate to take, and a
// picture of both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "grapnel/export.h"

namespace grapnel {

// How the rate grows from step to step: by a factor, or by an amount.
enum class LRSweep { exponential, linear };

// "exponential" or "linear", in any case; throws ConfigError naming both.
GRAPNEL_CORE_API LRSweep parse_lr_sweep(const std::string& text);

struct GRAPNEL_CORE_API LRFindResult {
  LRSweep mode = LRSweep::exponential;
  double min_lr = 0.0;
  double max_lr = 0.0;
  int64_t num_training_steps = 0;  // that were asked for
  std::vector<double> lr;          // tried, in order
  std::vector<double> loss;        // smoothed, at each; NaN where the step computed none
  int64_t total_batch_idx = 0;     // of the trainer's batches, the search's last one; from 0

  // The rate at which the loss falls fastest: where its slope over the rate, by central differences
  // (torch.gradient), is least. skip_begin, skip_end: points at the ends that are left out, for the
  // first losses are arbitrary and the last ones diverge; points without a finite loss are left out
  // too. Nothing, with an error in the log, when fewer than two points are left.
  std::optional<double> suggestion(size_t skip_begin = 10, size_t skip_end = 1) const;
  // The same as a place in lr, without a word.
  std::optional<size_t> suggested_index(size_t skip_begin = 10, size_t skip_end = 1) const;

  // The loss over the rate as an SVG picture of 720 x 440, the suggestion marked where there is
  // one.
  std::string to_svg() const;
  // Writes it whole or not at all, with its directory. Throws IoError.
  void plot(const std::filesystem::path& file) const;
};

}  // namespace grapnel
