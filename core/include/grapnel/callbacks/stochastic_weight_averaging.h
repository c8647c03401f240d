// Averages the weights over the last epochs, at a learning rate that is annealed to a constant one,
// and ends the training with the average (Izmailov et al., "Averaging Weights Leads to Wider Optima
// and Better Generalization", 2018).
//
//   StochasticWeightAveraging({.swa_lrs = {0.01}, .swa_epoch_start = 0.75})
//
// After Lightning's class of that name. From swa_epoch_start on, SWALR takes the place of the run's
// scheduler, and the average takes the weights in at the start of every epoch: so not those after
// the last one. Parameters are averaged, buffers are not; instead a model with batch normalizations
// gets one more epoch, in which its running statistics are recomputed with the averaged weights and
// nothing is trained. Validation during the training sees the trained weights. Otherwise than
// there, what it changes of the trainer for that epoch is undone on every way out, and a run that
// is resumed within any epoch continues averaging.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "grapnel/base/options_table.h"
#include "grapnel/callback.h"
#include "grapnel/export.h"
#include "grapnel/lease.h"
#include "grapnel/lr_schedulers/annealing.h"

namespace grapnel {

class AveragedWeights;
class LRScheduler;

struct StochasticWeightAveragingOptions {
  // The constant rates, one for all groups of the optimizer or one for each; above 0.
  std::vector<double> swa_lrs;
  // An epoch counted from 1, or the share of max_epochs after which to begin, 0.0 to 1.0.
  std::variant<int64_t, double> swa_epoch_start = 0.8;
  int64_t annealing_epochs = 10;  // until the rate is the constant one; at least 0
  AnnealStrategy annealing_strategy = AnnealStrategy::cos;
  // The new average from the present one, the model's tensor and the number of models averaged
  // before it, at least 1. Empty: the mean of all.
  std::function<at::Tensor(const at::Tensor& average, const at::Tensor& model, int64_t n_averaged)>
      avg_fn = {};
  std::string device = "cpu";  // where the average is kept; empty: with the model
};

class GRAPNEL_CORE_API StochasticWeightAveraging final : public Callback {
 public:
  // Throws ConfigError for an option out of range.
  explicit StochasticWeightAveraging(StochasticWeightAveragingOptions options);
  ~StochasticWeightAveraging() override;

  static const OptionsTable<StochasticWeightAveragingOptions>& options_table();

  // {"n_averaged", "latest_update_epoch", "scheduler_state", "average_model_state",
  // "momenta": {batch normalization: momentum or null} and "accumulate_grad_batches": as they were
  // before the epoch for statistics, within it,
  // "annealed_groups": when the optimizer has got more since}
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

  void setup(StageEvent& event) override;
  // Throws ConfigError with several optimizers or schedulers, or a share of unlimited epochs.
  void on_fit_start(Event& event) override;
  void on_train_start(Event& event) override;
  void on_train_epoch_start(Event& event) override;
  void on_train_epoch_end(Event& event) override;
  void on_train_end(Event& event) override;
  // Gives the model the average.
  void on_fit_end(Event& event) override;

  // Models averaged; nothing before the averaging began.
  std::optional<int64_t> n_averaged() const;
  int64_t latest_update_epoch() const { return latest_update_epoch_; }  // from 0; -1: none
  // As given until fit starts, then the epoch, counted from 1.
  const std::variant<int64_t, double>& swa_epoch_start() const { return options_.swa_epoch_start; }
  // As given until the averaging begins, then one for each group.
  const std::vector<double>& swa_lrs() const { return options_.swa_lrs; }
  // Names to live tensors; empty before fit.
  StateDict average_weights() const;

  void on_disabled() override {
    statistics_.end();
    extra_epoch_.end();
  }

 private:
  int64_t start_epoch() const;  // the first with averaging, from 0
  int64_t end_epoch() const;    // the last, from 0
  bool averages_in(int64_t epoch) const;
  void begin(Event& event);
  void make_scheduler(const std::shared_ptr<Optimizer>& optimizer);
  void begin_statistics_epoch(Event& event);
  void lease_statistics_epoch(Event& event);
  void forget_momenta();

  StochasticWeightAveragingOptions given_;
  StochasticWeightAveragingOptions options_;  // with the first epoch and the rates resolved
  std::optional<at::Device> device_;
  std::unique_ptr<AveragedWeights> average_;
  std::shared_ptr<LRScheduler> scheduler_;
  StateDict scheduler_state_;  // from a checkpoint, until the scheduler is made
  StateDict average_state_;    // likewise
  StateDict momenta_;          // of the model's batch normalizations, during the extra epoch
  int64_t accumulation_ = 0;   // likewise: accumulate_grad_batches; 0: not known
  Lease extra_epoch_;          // max_epochs + 1
  Lease statistics_;           // momenta, no backward, accumulation
  size_t groups_ = 0;          // of the optimizer, that SWALR anneals; 0: all
  bool began_ = false;
  bool has_batch_norm_ = false;
  int64_t n_averaged_ = 0;
  int64_t latest_update_epoch_ = -1;
  int64_t max_epochs_ = -1;  // without the extra one; -1: no limit
};

}  // namespace grapnel
