// Rates over a window of the latest batches, from running totals.
//
// After Lightning's Throughput. Rates are differences between the newest and the oldest entry of a
// full window, so a window of n batches measures n - 1 of them.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "grapnel/export.h"
#include "grapnel/logger.h"

namespace grapnel {

class GRAPNEL_CORE_API Throughput {
 public:
  // window_size: batches, at least 2. available_flops: per second, above 0. world_size: number of
  // identical processes, at least 1; with more, the rates of all together are computed too. Throws
  // ConfigError for other values.
  explicit Throughput(int64_t window_size = 100, std::string separator = "/",
                      std::optional<double> available_flops = {}, int64_t world_size = 1);

  // Totals since the start: seconds, batches, samples and, optionally, items (lengths); flops of
  // this batch alone. Throws ConfigError when a total does not grow (equal times are allowed), or
  // there are fewer samples than batches, or fewer items than samples.
  void update(double time, int64_t batches, int64_t samples, std::optional<int64_t> lengths = {},
              std::optional<double> flops = {});

  // The totals and, with a full window, the rates. Throws ConfigError before the first update.
  Logger::Metrics compute() const;

  // The time of the last update; 0 before the first.
  double last_time() const { return entries_.empty() ? 0.0 : entries_.back().time; }
  void reset() { entries_.clear(); }

 private:
  struct Entry {
    double time;
    int64_t batches;
    int64_t samples;
    std::optional<int64_t> lengths;
    std::optional<double> flops;
  };

  size_t window_size_;
  std::string separator_;
  std::optional<double> available_flops_;
  int64_t world_size_;
  std::deque<Entry> entries_;
};

}  // namespace grapnel
