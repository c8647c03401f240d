// What the options of a trainer amount to: their checks, and the limits that follow from them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "grapnel/logger.h"
#include "grapnel/trainer_options.h"

namespace grapnel {

// Limits of a run, with fast_dev_run and overfit_batches applied.
struct RunLimits {
  Amount train = 1.0;
  Amount val = 1.0;
  Amount test = 1.0;
  Amount predict = 1.0;
  int64_t sanity_steps = 2;           // -1: all
  std::optional<double> val_seconds;  // time-based validation
  ValCheckInterval val_check_interval = 1.0;
  std::optional<int64_t> check_val_every_n_epoch = 1;
};

// Throws ConfigError for a value out of range, and for options that contradict each other.
void validate_options(const TrainerOptions& options);
// For a val_check_interval that has no meaning without epochs.
[[noreturn]] void refuse_fraction_over_epochs(double fraction);
// barebones=true and an option that asks for more than the loop.
[[noreturn]] void refuse_in_barebones(const char* option, std::string_view value);

// Also changes the options themselves where one implies another.
RunLimits limits_of(TrainerOptions& options);

// A logger that accepts everything and writes nothing.
std::shared_ptr<Logger> silent_logger();

}  // namespace grapnel
