// Schedulers one after the other: the next one starts, from its count 0, at each milestone
// (torch.optim.lr_scheduler.SequentialLR).
#pragma once

#include <memory>
#include <vector>

#include "grapnel/base/options_table.h"
#include "grapnel/lr_schedulers/scheduled_lr.h"

namespace grapnel {

// As run.json has it.
struct SequentialLROptions {
  ConfigValue schedulers = {};  // a list of schedulers, each with its name and options
  std::vector<int64_t> milestones = {};
};

class GRAPNEL_CORE_API SequentialLR : public LRScheduler {
 public:
  // milestones: one fewer than schedulers, in rising order. Throws ConfigError for another number
  // of them, a scheduler over another optimizer, a ReduceLROnPlateau, or a SequentialLR within.
  SequentialLR(std::shared_ptr<Optimizer> optimizer,
               std::vector<std::shared_ptr<LRScheduler>> schedulers,
               std::vector<int64_t> milestones);

  static const OptionsTable<SequentialLROptions>& options_table();

  std::string type_name() const override { return "SequentialLR"; }
  void step(std::optional<double> metric = {}) override;
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

 private:
  size_t active(int64_t epoch) const;  // index of the scheduler at this count
  std::vector<std::shared_ptr<ScheduledLR>> schedulers_;
  std::vector<int64_t> milestones_;
  int64_t last_epoch_ = 0;
};

}  // namespace grapnel
