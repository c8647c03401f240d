#include "tuning/batch_size_search.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <new>
#include <string_view>

#include "grapnel/base/log.h"
#include "stats/device_stats.h"

namespace grapnel {

namespace {

// Doubling stops here, even below max_val, as in Lightning.
constexpr int64_t kLargestDoubled = 8192;

}  // namespace

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr) return true;
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return true;
  const std::string_view text = error.what();
  const auto has = [&](std::string_view part) { return text.find(part) != std::string_view::npos; };
  return (has("CUDA") && has("out of memory")) ||
         has("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED. This error may appear if you passed in a "
             "non-contiguous input.") ||
         has("DefaultCPUAllocator: can't allocate memory") ||
         has("DefaultCPUAllocator: not enough memory");
}

int64_t BatchSizeTrials::run() {
  begin_trial();
  const int64_t start = change_to(options_.init_val, Why::start, kLargestDoubled).size;
  const int64_t found =
      options_.mode == BatchSizeSearch::power ? run_power(start) : run_binsearch(start);
  empty_allocator_cache(trial_.run().device);
  log_info("the batch-size search is done; the run continues with batch size {}", found);
  return found;
}

int64_t BatchSizeTrials::run_power(int64_t size) {
  bool any_success = false;
  for (int64_t trial = 0; trial < options_.max_trials; ++trial) {
    if (limit_reached(size)) break;
    if (fits()) {
      if (trial + 1 >= options_.max_trials) break;
      const Change larger = change_to(2 * attribute_.get(), Why::succeeded, kLargestDoubled);
      size = larger.size;
      if (!larger.changed) break;
      trial_.loop().reload();
      any_success = true;
    } else {
      size =
          change_to(std::max<int64_t>(1, attribute_.get() / 2), Why::failed, kLargestDoubled).size;
      trial_.loop().reload();
      if (any_success) break;
    }
  }
  return size;
}

int64_t BatchSizeTrials::run_binsearch(int64_t size) {
  int64_t low = 1;
  std::optional<int64_t> high;
  int64_t successes = 0;
  while (!limit_reached(size)) {
    if (fits()) {
      if (++successes >= options_.max_trials) break;
      low = size;
      if (high.has_value() && *high - low <= 1) break;
      const int64_t next = high.has_value() ? (*high + low) / 2 : 2 * attribute_.get();
      const Change larger = change_to(next, Why::succeeded, options_.max_val);
      size = larger.size;
      if (!larger.changed) break;
      trial_.loop().reload();
    } else {
      high = size;
      size = change_to((*high + low) / 2, Why::failed, kLargestDoubled).size;
      trial_.loop().reload();
      if (*high - low <= 1) break;
    }
  }
  if (options_.margin > 0) {
    const auto reduced = std::max<int64_t>(
        1, static_cast<int64_t>(static_cast<double>(size) * (1 - options_.margin)));
    if (reduced != size) {
      log_info("a margin of {:.1f}% is kept: the batch size goes from {} down to {}",
               100 * options_.margin, size, reduced);
      attribute_.set(reduced);
    }
    size = reduced;
  }
  return size;
}

bool BatchSizeTrials::limit_reached(int64_t size) const {
  if (size < options_.max_val) return false;
  log_info("the batch-size search has reached its limit, max_val={}", options_.max_val);
  return true;
}

// A few steps from the current state of the run.
void BatchSizeTrials::begin_trial() {
  trial_.rewind();
  Run& run = trial_.run();
  const int64_t steps = options_.steps_per_trial;
  run.limits.val = run.limits.test = run.limits.predict = steps;
  if (!run.fitting()) return;
  run.limits.train = 1.0;
  run.state.max_steps = run.global_step() + steps;
}

bool BatchSizeTrials::fits() {
  Run& run = trial_.run();
  empty_allocator_cache(run.device);
  begin_trial();
  try {
    trial_.loop().run();
    return true;
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error)) throw;
  }
  for (const StateEntry& entry : run.module->state_view().parameters()) {
    entry.tensor.mutable_grad().reset();
  }
  empty_allocator_cache(run.device);
  return false;
}

BatchSizeTrials::Change BatchSizeTrials::change_to(int64_t size, Why why, int64_t limit) {
  const int64_t before = attribute_.get();
  trial_.loop().setup_data();
  int64_t samples = 0;
  for (const auto& loader : trial_.loop().loaders().loaders) {
    samples = std::max(samples, loader->dataset_size().value_or(0));
  }
  // One that failed must become smaller in any case.
  if (samples > 0 && before >= samples && why != Why::failed) {
    log_info("the batch size {} holds all of the {} samples of the data at once", before, samples);
    return {before, false};
  }
  if (size > limit) {
    if (why != Why::start)
      log_info("batch size {} is above max_val={}, which is taken", size, limit);
    size = limit;
  }
  if (why != Why::start) {
    log_info("batch size {} {}, trying batch size {}", before,
             why == Why::succeeded ? "succeeded" : "failed", size);
  }
  attribute_.set(size);
  return {size, size != before};
}

}  // namespace grapnel
