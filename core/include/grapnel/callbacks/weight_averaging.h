// Keeps an average of the trained weights, validates with it, and ends the
// training with it.
//
//   WeightAveraging()                            the mean of all weights, one per optimizer step
//   EMAWeightAveraging({.decay = 0.999})         <grapnel/callbacks/ema_weight_averaging.h>
//
// After Lightning's class of that name. Derive and override should_update to choose the moments at
// which the average takes the weights in. While fit validates, the average is leased into the
// model, so that training always continues with its own weights. A checkpoint has the
// average as the model's weights ("state_dict"), the trained ones as "current_model_state", and
// "averaging_state"; a file of weights alone has the average. Otherwise than there, test and
// predict never swap: they see the weights that the model has, or those of the checkpoint they were
// given. The model gets the average in on_fit_end, so that a run that is resumed with nothing left to
// do ends with it too; one that nothing was averaged into leaves the trained weights.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grapnel/base/options_table.h"
#include "grapnel/callback.h"
#include "grapnel/export.h"
#include "grapnel/lease.h"

namespace grapnel {

class AveragedWeights;

struct WeightAveragingOptions {
  std::string device = {};  // where the average is kept ("cpu"); empty: with the model
  bool use_buffers = true;  // average buffers (running statistics) too; false: copy them at updates
  // The new average from the present one, the model's tensor and the number of models averaged
  // before it, at least 1. Empty: the mean of all.
  std::function<at::Tensor(const at::Tensor& average, const at::Tensor& model, int64_t n_averaged)>
      avg_fn = {};
};

class GRAPNEL_CORE_API WeightAveraging : public Callback {
 public:
  // Throws ConfigError for a device that is none.
  explicit WeightAveraging(WeightAveragingOptions options = {});
  ~WeightAveraging() override;

  static const OptionsTable<WeightAveragingOptions>& options_table();

  // Called after every training batch with the index of each optimizer step that it made, and after
  // every training epoch with its index, both from 0; the other is empty. Default: after every step.
  virtual bool should_update(std::optional<int64_t> step_idx, std::optional<int64_t> epoch_idx);

  // {"latest_update_step", "latest_update_epoch", "asked_steps"}; "before_epoch_end", when the average
  // was updated at the end of an epoch that a limit or a stop had cut short: a resumed run trains the
  // rest of it with the average of before.
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;
  bool edits_weights() const override { return true; }

  void setup(StageEvent& event) override;
  void on_fit_start(Event& event) override;
  void on_train_start(Event& event) override;
  void on_train_batch_end(TrainBatchEnd& event) override;
  void on_train_epoch_end(Event& event) override;
  void on_fit_end(Event& event) override;
  void on_validation_epoch_start(Event& event) override;
  void on_validation_epoch_end(Event& event) override;
  void on_save_checkpoint(SaveCheckpoint& event) override;
  void on_load_checkpoint(LoadCheckpoint& event) override;

  int64_t latest_update_step() const { return latest_update_step_; }    // steps then done; 0: none
  int64_t latest_update_epoch() const { return latest_update_epoch_; }  // from 0; -1: none
  int64_t n_averaged() const;
  // Names to live tensors; empty before fit.
  StateDict average_weights() const;

  void on_disabled() override { swapped_.end(); }

 private:
  // Where avg_fn is average + share (model - average): the share, which makes updates fast.
  virtual std::optional<double> model_share() const { return {}; }
  void update(Module& module);
  void restore_cut_epoch();

  WeightAveragingOptions options_;
  std::optional<at::Device> device_;
  std::unique_ptr<AveragedWeights> average_;
  bool is_in_model_ = false;  // the training has ended with it
  Lease swapped_;
  int64_t asked_steps_ = 0;              // after which should_update was asked
  std::optional<int64_t> loaded_steps_;  // the same, of the run that is resumed
  int64_t latest_update_step_ = 0;
  int64_t latest_update_epoch_ = -1;
  StateDict before_epoch_end_;  // of the last epoch that was cut short: average, n_averaged, ...
};

}  // namespace grapnel
