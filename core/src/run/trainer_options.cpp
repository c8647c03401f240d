#include "grapnel/trainer_options.h"

#include <ATen/Context.h>
#include <fmt/format.h>

#include <string>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "run/effective_options.h"

namespace grapnel {

namespace {

// A whole number written as a fraction above 1 means a count, as in Lightning.
Amount normalized(const char* option, Amount amount) {
  if (!amount.is_count && amount.fraction > 1)
    amount = Amount(static_cast<int64_t>(amount.fraction));
  if (amount.is_count && amount.count == 1) log_info("{}=1: one batch is used", option);
  return amount;
}

// Replaces the user's loggers under fast_dev_run: accepts everything, writes nothing.
class SilentLogger final : public Logger {
 public:
  std::string name() const override { return ""; }
  std::string version() const override { return ""; }
  void log_metrics(const Metrics&, int64_t) override {}
};

// LibTorch says so itself only when the first tensor is moved, and in its own words.
void check_device_exists(const std::string& name) {
  const at::Device device(name);
  if (!device.is_cuda()) return;
  const int64_t devices =
      at::globalContext().hasCUDA() ? at::detail::getCUDAHooks().deviceCount() : 0;
  if (devices == 0) {
    throw ConfigError::of("device",
                          "device={}: there is no CUDA device here (no GPU or driver is found, or "
                          "this LibTorch is built for the CPU alone); use device=cpu",
                          name);
  }
  if (device.index() >= devices) {
    throw ConfigError::of("device", "device={}: there are {} CUDA devices, cuda:0 to cuda:{}", name,
                          devices, devices - 1);
  }
}

}  // namespace

std::shared_ptr<Logger> silent_logger() {
  return std::make_shared<SilentLogger>();
}

void refuse_fraction_over_epochs(double fraction) {
  throw ConfigError::of("check_val_every_n_epoch",
                        "check_val_every_n_epoch=null counts batches over epochs, but "
                        "val_check_interval={} is a fraction of an epoch; give it as a number of "
                        "batches",
                        fraction);
}

void refuse_in_barebones(const char* option, std::string_view value) {
  throw ConfigError::of(option,
                        "barebones=true runs nothing but the loop, for measuring, but {}={} was "
                        "asked for too; leave out one of them",
                        option, value);
}

void validate_options(const TrainerOptions& options) {
  trainer_options_table().check(options, "Trainer");
  check_device_exists(options.device);
  for (const auto& logger : options.loggers) {
    if (logger == nullptr) throw ConfigError({}, "a logger is null; leave it out", "loggers");
  }

  const auto* fraction = std::get_if<double>(&options.val_check_interval.value);
  if (fraction != nullptr && *fraction < 1 && !options.check_val_every_n_epoch.has_value()) {
    refuse_fraction_over_epochs(*fraction);
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
