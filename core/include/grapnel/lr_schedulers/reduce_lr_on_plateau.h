// Multiplies the rate by a factor when a metric has not improved for more than `patience` steps
// (torch.optim.lr_scheduler.ReduceLROnPlateau).
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grapnel/base/options_table.h"
#include "grapnel/export.h"
#include "grapnel/lr_scheduler.h"

namespace grapnel {

struct ReduceLROnPlateauOptions {
  enum class Mode { min, max };           // which direction is better
  enum class ThresholdMode { rel, abs };  // better by a share of the best value, or by an amount
  Mode mode = Mode::min;
  double factor = 0.1;    // below 1
  int64_t patience = 10;  // steps without improvement that are borne
  double threshold = 1e-4;
  ThresholdMode threshold_mode = ThresholdMode::rel;
  int64_t cooldown = 0;                // steps after a reduction in which none is counted
  std::vector<double> min_lr = {0.0};  // one for all groups, or one each
  double eps = 1e-8;                   // smaller reductions are left out
};

class GRAPNEL_CORE_API ReduceLROnPlateau : public LRScheduler {
 public:
  explicit ReduceLROnPlateau(std::shared_ptr<Optimizer> optimizer,
                             ReduceLROnPlateauOptions options = {});

  static const OptionsTable<ReduceLROnPlateauOptions>& options_table();

  std::string type_name() const override { return "ReduceLROnPlateau"; }
  bool wants_metric() const override { return true; }

  // Throws ConfigError without a metric. A metric that is not a number counts as no improvement.
  void step(std::optional<double> metric = {}) override;

  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

  double best() const { return best_; }
  int64_t num_bad_epochs() const { return num_bad_epochs_; }

 private:
  bool is_better(double value) const;
  void reduce();

  ReduceLROnPlateauOptions options_;
  double best_;
  int64_t last_epoch_ = 0;
  int64_t num_bad_epochs_ = 0;
  int64_t cooldown_counter_ = 0;
};

}  // namespace grapnel
