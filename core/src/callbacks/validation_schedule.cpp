#include "callbacks/validation_schedule.h"

#include <algorithm>
#include <vector>

namespace grapnel {

bool checks_once_per_epoch(const TrainerOptions& options) {
  const auto& interval = options.val_check_interval.value;
  if (const auto* count = std::get_if<int64_t>(&interval)) return *count == 1;
  const auto* fraction = std::get_if<double>(&interval);
  return fraction != nullptr && *fraction == 1.0;
}

bool has_validation_batches(const Trainer& trainer) {
  const std::vector<int64_t> batches = trainer.num_val_batches();
  return std::any_of(batches.begin(), batches.end(), [](int64_t n) { return n != 0; });
}

bool validates_this_epoch(const Trainer& trainer) {
  const auto every = trainer.options().check_val_every_n_epoch;
  return trainer.validation_enabled() && has_validation_batches(trainer) &&
         (!every.has_value() || (trainer.current_epoch() + 1) % *every == 0);
}

}  // namespace grapnel
