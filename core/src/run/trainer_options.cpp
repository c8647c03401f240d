#include "grapnel/trainer_options.h"

#include <fmt/format.h>

#include <cmath>
#include <string>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "run/run.h"

namespace grapnel {

namespace {

[[noreturn]] void refuse(const char* option, const std::string& found,
                         const std::string& accepted) {
  throw ConfigError(
      {}, fmt::format("{}={} is not possible; it must be {}", option, found, accepted), option);
}

void at_least(const char* option, std::optional<int64_t> value, int64_t least) {
  if (value.value_or(least) < least) {
    refuse(option, std::to_string(*value), fmt::format("at least {}", least));
  }
}

void check_amount(const char* option, const Amount& amount) {
  if (amount.is_count) return at_least(option, amount.count, 0);
  const double f = amount.fraction;
  if (f >= 0 && (f <= 1 || f == std::floor(f))) return;
  refuse(option, fmt::format("{}", f), "a fraction in [0.0, 1.0] or a whole number of batches");
}

void check_device(const std::string& name) {
  try {
    const at::Device device(name);
    if (device.is_cpu() || device.is_cuda()) return;
  } catch (const c10::Error&) {
  }
  refuse("device", fmt::format("'{}'", name), "cpu, cuda, or cuda:N with the number of a device");
}

// A whole number written as a fraction above 1 means a count, as in Lightning.
Amount normalized(const char* option, Amount amount) {
  if (!amount.is_count && amount.fraction > 1)
    amount = Amount(static_cast<int64_t>(amount.fraction));
  if (amount.is_count && amount.count == 1) log_info("{}=1: one batch is used", option);
  return amount;
}

// Stands in for the user's loggers under fast_dev_run: accepts everything, writes nothing.
class SilentLogger final : public Logger {
 public:
  std::string name() const override { return ""; }
  std::string version() const override { return ""; }
  void log_metrics(const Metrics&, int64_t) override {}
};

}  // namespace

std::shared_ptr<Logger> silent_logger() {
  return std::make_shared<SilentLogger>();
}

void refuse_fraction_over_epochs(double fraction) {
  refuse("check_val_every_n_epoch", "null",
         fmt::format("set while val_check_interval={} is a fraction of an epoch; give "
                     "val_check_interval as a number of batches to count over epochs",
                     fraction));
}

void refuse_in_barebones(const char* option, std::string_view value) {
  throw ConfigError({},
                    fmt::format("barebones=true runs nothing but the loop, for measuring, but "
                                "{}={} was asked for too; leave out one of them",
                                option, value),
                    option);
}

void validate_options(const TrainerOptions& options) {
  at_least("max_epochs", options.max_epochs, -1);
  at_least("min_epochs", options.min_epochs, 0);
  at_least("max_steps", options.max_steps, -1);
  at_least("min_steps", options.min_steps, 0);
  check_amount("limit_train_batches", options.limit_train_batches);
  check_amount("limit_val_batches", options.limit_val_batches);
  check_amount("limit_test_batches", options.limit_test_batches);
  check_amount("limit_predict_batches", options.limit_predict_batches);
  check_amount("overfit_batches", options.overfit_batches);
  at_least("fast_dev_run", options.fast_dev_run, 0);
  at_least("reload_dataloaders_every_n_epochs", options.reload_dataloaders_every_n_epochs, 0);
  at_least("check_val_every_n_epoch", options.check_val_every_n_epoch, 1);
  at_least("num_sanity_val_steps", options.num_sanity_val_steps, -1);
  at_least("accumulate_grad_batches", options.accumulate_grad_batches, 1);
  at_least("log_every_n_steps", options.log_every_n_steps, 0);
  check_device(options.device);
  for (const auto& logger : options.loggers) {
    if (logger == nullptr) throw ConfigError({}, "a logger is null; leave it out", "loggers");
  }

  const auto& interval = options.val_check_interval.value;
  if (const int64_t* count = std::get_if<int64_t>(&interval)) {
    at_least("val_check_interval", *count, 1);
  } else if (const double* fraction = std::get_if<double>(&interval)) {
    if (!(*fraction > 0) || (*fraction > 1 && *fraction != std::floor(*fraction))) {
      refuse("val_check_interval", fmt::format("{}", *fraction),
             "a fraction in (0.0, 1.0], a whole number of batches, or a time DD:HH:MM:SS");
    }
    if (!options.check_val_every_n_epoch.has_value() && *fraction < 1) {
      refuse_fraction_over_epochs(*fraction);
    }
  }
  if (!options.barebones) return;
  const auto asked = [](const char* option, bool given, std::string_view value = "true") {
    if (given) refuse_in_barebones(option, value);
  };
  asked("enable_checkpointing", options.enable_checkpointing.value_or(false));
  asked("enable_progress_bar", options.enable_progress_bar.value_or(false));
  asked("enable_model_summary", options.enable_model_summary.value_or(false));
  if (!options.loggers.empty()) {
    throw ConfigError({},
                      "barebones=true runs nothing but the loop, for measuring, but there are "
                      "loggers; leave out one of them",
                      "loggers");
  }
  const TrainerOptions defaults;
  const auto asked_count = [&](const char* option, int64_t count, int64_t by_default) {
    asked(option, count != 0 && count != by_default, std::to_string(count));
  };
  asked_count("fast_dev_run", options.fast_dev_run, defaults.fast_dev_run);
  asked_count("log_every_n_steps", options.log_every_n_steps, defaults.log_every_n_steps);
  asked_count("num_sanity_val_steps", options.num_sanity_val_steps, defaults.num_sanity_val_steps);
  asked("detect_anomaly", options.detect_anomaly);
  asked("profiler", options.profiler != ProfilerKind::none,
        options.profiler == ProfilerKind::simple ? "simple" : "advanced");
}

RunLimits limits_of(TrainerOptions& options) {
  if (options.precision == Precision::f16_mixed && at::Device(options.device).is_cpu()) {
    log_warning("precision=\"16-mixed\" is not possible on device=\"{}\"; bf16-mixed is used",
                options.device);
    options.precision = Precision::bf16_mixed;
  }
  if (options.barebones) {
    options.num_sanity_val_steps = 0;
    options.log_every_n_steps = 0;
  }
  RunLimits limits;
  limits.train = normalized("limit_train_batches", options.limit_train_batches);
  limits.val = normalized("limit_val_batches", options.limit_val_batches);
  limits.test = normalized("limit_test_batches", options.limit_test_batches);
  limits.predict = normalized("limit_predict_batches", options.limit_predict_batches);
  limits.sanity_steps = options.num_sanity_val_steps;
  limits.check_val_every_n_epoch = options.check_val_every_n_epoch;
  limits.val_check_interval = options.val_check_interval;
  const auto& interval = options.val_check_interval.value;
  if (const std::string* text = std::get_if<std::string>(&interval)) {
    limits.val_seconds = parse_duration(*text);
    if (!limits.val_seconds.has_value()) {
      refuse("val_check_interval", fmt::format("'{}'", *text), "a time DD:HH:MM:SS");
    }
    limits.val_check_interval = 1.0;
  } else if (const double* fraction = std::get_if<double>(&interval); fraction && *fraction > 1) {
    limits.val_check_interval = static_cast<int64_t>(*fraction);
  }
  if (options.fast_dev_run > 0) {
    const int64_t n = options.fast_dev_run;
    limits.train = limits.val = limits.test = limits.predict = n;
    limits.sanity_steps = 0;
    limits.val_check_interval = 1.0;
    limits.val_seconds.reset();
    limits.check_val_every_n_epoch = 1;
    options.max_steps = n;
    options.max_epochs = 1;
    if (!options.loggers.empty()) options.loggers = {silent_logger()};
    log_info(
        "running in fast_dev_run mode: {} batch(es) of everything are run; nothing is logged or "
        "saved",
        n);
  }
  if (!options.overfit_batches.is_zero()) {
    limits.train = limits.val = normalized("overfit_batches", options.overfit_batches);
  }
  return limits;
}

}  // namespace grapnel
