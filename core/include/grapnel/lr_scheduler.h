// Learning-rate schedulers over Optimizer's groups, with PyTorch's names and numbers
// (torch.optim.lr_scheduler). The ready ones are in <grapnel/lr_schedulers.h>.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grapnel/base/enum_names.h"
#include "grapnel/export.h"
#include "grapnel/optimizer.h"
#include "grapnel/state_dict.h"

namespace grapnel {

class GRAPNEL_CORE_API LRScheduler {
 public:
  virtual ~LRScheduler();

  // "StepLR", ...
  virtual std::string type_name() const = 0;

  // Moves on by one step and writes the groups' options. metric: only for those that look at one.
  virtual void step(std::optional<double> metric = {}) = 0;

  // Whether step wants the value of a monitored metric, as ReduceLROnPlateau does.
  virtual bool wants_metric() const { return false; }

  virtual StateDict state_dict() const = 0;
  virtual void load_state_dict(const StateDict& state) = 0;

  Optimizer& optimizer() const { return *optimizer_; }

  // The learning rates that the last step wrote, one per group.
  std::vector<double> last_lr() const;

 protected:
  // Throws ConfigError when there is no optimizer.
  explicit LRScheduler(std::shared_ptr<Optimizer> optimizer);

 private:
  std::shared_ptr<Optimizer> optimizer_;
};

enum class Interval { epoch, step };

template <>
inline constexpr auto enum_names<Interval> =
    std::to_array<EnumName<Interval>>({{Interval::step, "step"}, {Interval::epoch, "epoch"}});

// How the loop uses a scheduler; the keys of Lightning's lr_scheduler_config.
struct SchedulerConfig {
  std::shared_ptr<LRScheduler> scheduler;
  Interval interval = Interval::epoch;
  int64_t frequency = 1;     // every so many epochs or batches
  std::string monitor = {};  // the metric for those that want one
  bool strict = true;        // a missing metric is an error, else a warning and no step
  std::string name = {};     // LearningRateMonitor's label; empty: made from the optimizer's type
};

// What Module::configure_optimizers returns. No optimizer: the model is run but not trained.
struct OptimizerConfig {
  OptimizerConfig() = default;
  template <class T>
  OptimizerConfig(std::shared_ptr<T> optimizer) : optimizers{std::move(optimizer)} {}

  std::vector<std::shared_ptr<Optimizer>> optimizers;
  std::vector<SchedulerConfig> schedulers;
};

}  // namespace grapnel
