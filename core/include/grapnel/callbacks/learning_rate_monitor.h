// Logs the learning rates, and on request momentum and weight decay, of all optimizers.
//
// After Lightning's class of that name. Names: "lr-SGD", or the scheduler configuration's name; a
// second optimizer of the same class is "lr-SGD-1"; several groups add "/pg1", "/pg2" or their
// names; then "-momentum" and "-weight_decay". The values also go into callback_metrics, so that
// others can monitor them. The loggers' step is the number of batches after which an optimizer
// stepped. It keeps no state.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grapnel/base/options_table.h"
#include "grapnel/callback.h"
#include "grapnel/export.h"
#include "grapnel/lr_scheduler.h"
#include "grapnel/metric_names.h"

namespace grapnel {

struct LearningRateMonitorOptions {
  // Unset: every optimizer as often as its scheduler steps; one without a scheduler both per step
  // and per epoch. Steps are logged every log_every_n_steps.
  std::optional<Interval> logging_interval = {};
  bool log_momentum = false;  // the first beta of those that have betas; 0 for those without any
  bool log_weight_decay = false;
  std::string log_key_prefix = {};
  int64_t max_history = 10'000;  // values of lrs() kept per name, the newest
};

class GRAPNEL_CORE_API LearningRateMonitor : public Callback, public MetricSource {
 public:
  explicit LearningRateMonitor(LearningRateMonitorOptions options = {});

  static const OptionsTable<LearningRateMonitorOptions>& options_table();

  template <class T>
  using Named = std::vector<std::pair<std::string, T>>;

  // What was logged so far, oldest first.
  const Named<std::vector<double>>& lrs() const { return lrs_; }
  // The newest value by name ("lr-SGD-momentum"); empty when it isn't logged.
  const Named<std::optional<double>>& last_momentum_values() const { return momenta_; }
  const Named<std::optional<double>>& last_weight_decay_values() const { return weight_decays_; }

  // Empty together with a BaseFinetuning, which will add groups.
  std::vector<std::string> metric_names(const Trainer& trainer) const override;
  // "LearningRateMonitor", with options "LearningRateMonitor{'logging_interval': 'step',
  // 'log_key_prefix': ''}", or the name.
  std::string state_key() const override;
  // {"logged_epoch"}: the last at whose start it has logged.
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

  void setup(StageEvent& event) override;
  // Throws ConfigError without a logger, or when two groups of an optimizer have the same name.
  void on_train_start(Event& event) override;
  void on_train_batch_start(TrainBatchStart& event) override;
  void on_train_epoch_start(Event& event) override;
  HookMask wanted(const HookMask& overridden) const override;

 private:
  // An optimizer with the names of its groups, and the interval of its scheduler, if it has one.
  struct Source {
    const Optimizer* optimizer;
    std::vector<std::string> names;
    std::optional<Interval> interval;
  };
  std::vector<Source> sources(const Trainer& trainer) const;
  void log_values(Trainer& trainer, Interval now);
  void adopt_names(const std::vector<Source>& sources);

  LearningRateMonitorOptions options_;
  int64_t logged_epoch_ = -1;
  Named<std::vector<double>> lrs_;
  Named<std::optional<double>> momenta_;
  Named<std::optional<double>> weight_decays_;
};

}  // namespace grapnel
