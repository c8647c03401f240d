// Ends the training with an error when its loss jumps, and writes down which batches to leave out.
//
//   SpikeDetection({.window = 20, .rtol = 3.0})
//
// After Lightning's class of that name. A loss is a spike when it is not finite (finite_only), or
// when it is worse than the last one and differs from the mean of the last `window` losses by at
// least atol and by at least rtol times that mean. The batch and the one before it, which may have
// spoiled the weights, are added to the list in exclude_batches_path: their indices within the epoch,
// from 0 (-1, the one before the first, with a warmup of 0). Reading the loss waits for the device once
// per batch. Otherwise than there, its state can be loaded again, and an unknown mode is refused.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grapnel/base/error.h"
#include "grapnel/base/options_table.h"
#include "grapnel/callback.h"
#include "grapnel/callbacks/monitor.h"
#include "grapnel/export.h"

namespace grapnel {

// The loss jumped. what() names the batch and the losses.
class GRAPNEL_CORE_API TrainingSpikeError : public Error {
 public:
  TrainingSpikeError(const std::string& message, int64_t batch_idx);
  ~TrainingSpikeError() override;

  const int64_t batch_idx;  // within the epoch, from 0
};

struct SpikeDetectionOptions {
  MonitorMode mode = MonitorMode::min;  // which direction of the loss is better
  int64_t window = 10;                  // losses in the mean, at least 1
  int64_t warmup = 1;                   // no check on the first batches of an epoch, at least 0
  std::optional<double> atol = {};      // smallest difference from the mean, in the loss's unit
  std::optional<double> rtol = 2.0;     // smallest difference, as a share of the mean
  // A *.json file, or a directory for "skip_batches.json"; empty: the trainer's default_root_dir.
  std::filesystem::path exclude_batches_path = {};
  bool finite_only = true;  // a loss that is NaN or infinite is a spike
};

class GRAPNEL_CORE_API SpikeDetection final : public Callback {
 public:
  // Throws ConfigError for an option out of range.
  explicit SpikeDetection(SpikeDetectionOptions options = {});

  static const OptionsTable<SpikeDetectionOptions>& options_table();

  // {"last_val", "mode", "warmup", "atol", "rtol", "bad_batches", "bad_batches_path", "running"}.
  // Otherwise than in Lightning the given options count, and not the saved ones, but for a path that
  // was not given.
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

  void setup(StageEvent& event) override;
  // Throws TrainingSpikeError, IoError when the list can't be written.
  void on_train_batch_end(TrainBatchEnd& event) override;

  double last_val() const { return last_val_; }  // 0 before the first
  // Within their epochs, from 0.
  const std::vector<int64_t>& bad_batches() const { return bad_batches_; }
  const std::filesystem::path& exclude_batches_path() const {
    return options_.exclude_batches_path;
  }

 private:
  bool is_spike(float loss) const;
  float mean() const;  // of those that are numbers; NaN when there are none
  void write_bad_batches() const;

  SpikeDetectionOptions options_;
  float last_val_ = 0;
  std::deque<float> running_;  // the last `window` losses
  std::vector<int64_t> bad_batches_;
};

}  // namespace grapnel
