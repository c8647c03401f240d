// Changes accumulate_grad_batches as the epochs go by.
//
//   GradientAccumulationScheduler(AccumulationSchedule{{4, 2}, {8, 4}})
//
// After Lightning's class of that name. The factor of an epoch is that of the largest key that is
// not past it, 1 before the first. It keeps no state: the factor follows from the epoch.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "grapnel/base/options_table.h"
#include "grapnel/callback.h"
#include "grapnel/export.h"

namespace grapnel {

// Epoch, counted from 0 -> batches per optimizer step from then on, at least 1.
using AccumulationSchedule = std::map<int64_t, int64_t>;

class GRAPNEL_CORE_API GradientAccumulationScheduler : public Callback {
 public:
  struct Settings {
    AccumulationSchedule scheduling;
  };

  // Throws ConfigError for an empty schedule, a negative epoch, or a factor below 1.
  explicit GradientAccumulationScheduler(AccumulationSchedule scheduling);
  explicit GradientAccumulationScheduler(Settings settings);

  static const OptionsTable<Settings>& options_table();

  // With a factor for epoch 0, whether it was given or not.
  const AccumulationSchedule& scheduling() const { return scheduling_; }
  int64_t get_accumulate_grad_batches(int64_t epoch) const;
  bool going_to_accumulate_grad_batches() const;

  // Throws ConfigError under manual optimization, or when the trainer has a factor too.
  void on_train_start(Event& event) override;
  void on_train_epoch_start(Event& event) override;

 private:
  AccumulationSchedule scheduling_;
};

}  // namespace grapnel
