// The base of callbacks that store what predict computes: per batch, at the end, or both.
//
// Derive, say when to write, and override the functions of that interval; the base finds out which
// samples a batch was made of. After Lightning's class of that name. CSV and safetensors files are
// written by the ready PredictionWriter. It keeps no state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "grapnel/base/enum_names.h"
#include "grapnel/callback.h"
#include "grapnel/export.h"
#include "grapnel/trainer.h"

namespace grapnel {

enum class WriteInterval { batch, epoch, batch_and_epoch };

template <>
inline constexpr auto enum_names<WriteInterval> =
    std::to_array<EnumName<WriteInterval>>({{WriteInterval::batch, "batch"},
                                            {WriteInterval::epoch, "epoch"},
                                            {WriteInterval::batch_and_epoch, "batch_and_epoch"}});

// "batch", "epoch", "batch_and_epoch"; throws ConfigError naming all three.
GRAPNEL_CORE_API WriteInterval parse_write_interval(const std::string& text);

class GRAPNEL_CORE_API BasePredictionWriter : public Callback {
 public:
  explicit BasePredictionWriter(WriteInterval interval = WriteInterval::batch)
      : interval_(interval) {}

  // The index of each sample of a batch in its data set; empty: the loader doesn't say.
  using Indices = std::vector<int64_t>;
  // Per data loader, per batch; no batches of a loader that never says.
  using EpochIndices = std::vector<std::vector<Indices>>;

  bool on_batch() const { return interval_ != WriteInterval::epoch; }
  bool on_epoch() const { return interval_ != WriteInterval::batch; }

  void on_predict_epoch_start(Event& event) override;
  void on_predict_batch_end(EvalBatchEnd& event) override;
  void on_predict_epoch_end(Event& event) override;
  void on_run_end(RunEnd& event) override;

 protected:
  // After each batch, on the device where it was computed. Default: throws ConfigError, because the
  // interval asks for what the class doesn't define.
  virtual void write_on_batch_end(EvalBatchEnd& event, const TensorTree& prediction,
                                  const Indices& batch_indices);
  // After the last batch, on the CPU: one list of batches per data loader. Default: as above.
  virtual void write_on_epoch_end(Event& event, const std::vector<Predictions>& predictions,
                                  const EpochIndices& batch_indices);

 private:
  void forget();

  WriteInterval interval_;
  std::vector<Predictions> predictions_;  // when they are wanted at the end
  EpochIndices indices_;
};

}  // namespace grapnel
