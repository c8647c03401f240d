// The base of schedulers whose rate follows from a count of steps, as PyTorch's LRScheduler.
//
// Rules, which are PyTorch's: making a scheduler performs the initial step (count 0) and keeps each
// group's rate of that moment as its option "initial_lr", unless it has one; later steps compute
// the next rate from the group's present one where PyTorch does (so schedulers can be combined),
// else from the base rate. A group that is added later takes part with its own rate as base.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "grapnel/export.h"
#include "grapnel/lr_scheduler.h"

namespace grapnel {

class GRAPNEL_CORE_API ScheduledLR : public LRScheduler {
 public:
  std::string type_name() const override;

  // Steps done; 0 after construction.
  int64_t last_epoch() const { return last_epoch_; }

  void step(std::optional<double> metric = {}) override;

  // Counters and base rates; what the constructor was given is not part of it. Loading throws
  // CheckpointError, having changed nothing, when the number of groups differs.
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

 protected:
  // Throws ConfigError when optimizer is null. The constructor of the derived class ends with
  // initial_step().
  explicit ScheduledLR(std::shared_ptr<Optimizer> optimizer);
  virtual void initial_step();

  // The rate of each group after last_epoch() was raised. May write other options (momentum).
  virtual std::vector<double> get_lr() = 0;
  // The rate of each group from last_epoch() alone. Default: get_lr.
  virtual std::vector<double> closed_form_lr() { return get_lr(); }

  // Sets the count and writes the rates of the closed form: how SequentialLR starts a scheduler.
  virtual void step_to(int64_t epoch);
  // Takes back the count of the initial step.
  void undo_initial_step() { --last_epoch_; }

  // For get_lr: whether this is the initial step; each group's present rate; its base rate.
  bool is_initial() const { return is_initial_; }
  int64_t step_count() const { return step_count_; }
  std::vector<double> present_lrs() const { return last_lr(); }
  std::vector<double> scaled_lrs(double factor) const;
  const std::vector<double>& base_lrs();
  void set_base_lrs(std::vector<double> rates) { base_lrs_ = std::move(rates); }
  void set_last_epoch(int64_t epoch) { last_epoch_ = epoch; }
  void write_lrs(const std::vector<double>& rates);

 private:
  friend class SequentialLR;
  int64_t last_epoch_ = -1;
  int64_t step_count_ = 0;
  bool is_initial_ = false;
  std::vector<double> base_lrs_;
};

// One value per group: the given ones, or the single one for all. Throws ConfigError naming `what`
// for another number of them.
GRAPNEL_CORE_API std::vector<double> per_group(const Optimizer& optimizer,
                                               std::vector<double> values, const char* what);

}  // namespace grapnel
