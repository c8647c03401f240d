// The Trainer's options by name, as run.json has them.
#include <fmt/format.h>

#include <cmath>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"
#include "grapnel/trainer_options.h"
#include "run/effective_options.h"
#include "values/float_limits.h"

namespace grapnel {

template <>
inline constexpr auto enum_names<ClipAlgorithm> = std::to_array<EnumName<ClipAlgorithm>>(
    {{ClipAlgorithm::norm, "norm"}, {ClipAlgorithm::value, "value"}});
template <>
inline constexpr auto enum_names<CheckpointSaving> =
    std::to_array<EnumName<CheckpointSaving>>({{CheckpointSaving::synchronous, "synchronous"},
                                               {CheckpointSaving::asynchronous, "asynchronous"}});
template <>
inline constexpr auto enum_names<ProfilerKind> = std::to_array<EnumName<ProfilerKind>>(
    {{ProfilerKind::simple, "simple"}, {ProfilerKind::advanced, "advanced"}});

namespace {

// A count that is written as a floating-point number.
bool is_whole_count(double number) {
  constexpr double kTooMany = 0x1p63;
  return number == std::floor(number) && number < kTooMany;
}

}  // namespace

// Counts stay integers, fractions doubles.
template <>
struct OptionType<Amount> : OptionType<std::variant<int64_t, double>> {
  static Amount read(const ConfigValue& value) {
    if (value.is_integer()) return value.as_int();
    return value.as_double();
  }
  static ConfigValue write(const Amount& amount) {
    return amount.is_count ? ConfigValue(amount.count) : ConfigValue(amount.fraction);
  }
  static void check(const Amount& amount) {
    const double fraction = amount.fraction;
    if (amount.is_count || fraction <= 1 || is_whole_count(fraction)) return;
    throw ConfigError::of(
        "", "must be a fraction in [0.0, 1.0] or a whole number of batches, found {}", fraction);
  }
};

template <>
struct OptionType<ValCheckInterval> {
  static void describe(ParameterSpec& spec) {
    spec.types = {ParameterType::integer, ParameterType::number, ParameterType::string};
  }
  static ValCheckInterval read(const ConfigValue& value) {
    if (value.is_integer()) return value.as_int();
    if (value.is_string()) return value.as_string();
    return value.as_double();
  }
  static ConfigValue write(const ValCheckInterval& interval) {
    return std::visit([](const auto& value) { return ConfigValue(value); }, interval.value);
  }
  static void check(const ValCheckInterval& interval) {
    if (const auto* count = std::get_if<int64_t>(&interval.value)) {
      if (*count >= 1) return;
    } else if (const auto* fraction = std::get_if<double>(&interval.value)) {
      if (*fraction > 0 && (*fraction <= 1 || is_whole_count(*fraction))) return;
    } else if (parse_duration(std::get<std::string>(interval.value))) {
      return;
    }
    throw ConfigError::of("",
                          "must be a number of batches from 1, a fraction of an epoch in (0.0, "
                          "1.0], or a time DD:HH:MM:SS, found {}",
                          write_json(write(interval)));
  }
};

// 16, "16" and "16-mixed" are the same.
template <>
struct OptionType<Precision> {
  static void describe(ParameterSpec& spec) {
    spec.types = {ParameterType::integer, ParameterType::string};
    spec.choices = precision_names();
  }
  static Precision read(const ConfigValue& value) {
    const std::string text =
        value.is_integer() ? std::to_string(value.as_int()) : value.as_string();
    if (const auto found = parse_precision(text)) return *found;
    throw ConfigError::of("", "must be one of {}, found {}", join(precision_names()), text);
  }
  static ConfigValue write(Precision precision) { return to_string(precision); }
};

// false, true, or "warn".
template <>
struct OptionType<Deterministic> {
  static void describe(ParameterSpec& spec) {
    spec.types = {ParameterType::boolean, ParameterType::string};
    spec.choices = {"warn"};
  }
  static Deterministic read(const ConfigValue& value) {
    if (value.is_string()) return Deterministic::warn;
    return value.as_bool() ? Deterministic::on : Deterministic::off;
  }
  static ConfigValue write(Deterministic value) {
    if (value == Deterministic::warn) return "warn";
    return value == Deterministic::on;
  }
};

namespace {

// true is one batch.
struct FastDevRun : OptionType<int64_t> {
  static void describe(ParameterSpec& spec) {
    spec.types = {ParameterType::boolean, ParameterType::integer};
  }
  static int64_t read(const ConfigValue& value) {
    return value.is_bool() ? int64_t{value.as_bool()} : value.as_int();
  }
};

struct TimeLimit : OptionType<std::string> {
  static void check(const std::string& text) {
    if (text.empty() || parse_duration(text)) return;
    throw ConfigError::of("", "must be a time DD:HH:MM:SS, or empty for no limit, found {}",
                          quote(text));
  }
};

struct DeviceName : OptionType<std::string> {
  static void check(const std::string& name) {
    try {
      const at::Device device(name);
      if (device.is_cpu() || device.is_cuda()) return;
    } catch (const c10::Error&) {
    }
    throw ConfigError::of("", "must be cpu, cuda, or cuda:N with the number of a device, found {}",
                          quote(name));
  }
};

constexpr const char* kBatches = "Batches to use: a whole number of them, or a fraction of all.";

}  // namespace

const OptionsTable<TrainerOptions>& trainer_options_table() {
  using O = TrainerOptions;
  static const OptionsTable<O> table(
      "trainer", "Length, data limits, validation, optimization and logging of a run.",
      {option("max_epochs", &O::max_epochs)
           .at_least(-1)
           .unit("epochs")
           .doc("Epochs to train; -1: no limit. Null: 1000, or no limit when max_steps is set."),
       option("min_epochs", &O::min_epochs)
           .at_least(0)
           .unit("epochs")
           .doc("Epochs before a stop request is granted."),
       option("max_steps", &O::max_steps)
           .at_least(-1)
           .unit("optimizer steps")
           .doc("Optimizer steps to train; -1: no limit."),
       option("min_steps", &O::min_steps)
           .at_least(0)
           .unit("optimizer steps")
           .doc("Optimizer steps before a stop request is granted."),
       option<TimeLimit>("max_time", &O::max_time)
           .doc("Time to train, DD:HH:MM:SS; empty: no limit."),
       option("limit_train_batches", &O::limit_train_batches).at_least(0).doc(kBatches),
       option("limit_val_batches", &O::limit_val_batches).at_least(0).doc(kBatches),
       option("limit_test_batches", &O::limit_test_batches).at_least(0).doc(kBatches),
       option("limit_predict_batches", &O::limit_predict_batches).at_least(0).doc(kBatches),
       option("overfit_batches", &O::overfit_batches).at_least(0).doc(kBatches),
       option<FastDevRun>("fast_dev_run", &O::fast_dev_run)
           .at_least(0)
           .unit("batches")
           .doc("Run so many batches of everything (true: one), once, and write nothing; 0: off."),
       option("reload_dataloaders_every_n_epochs", &O::reload_dataloaders_every_n_epochs)
           .at_least(0)
           .unit("epochs")
           .doc("Make the data loaders again after so many epochs; 0: never."),
       option("val_check_interval", &O::val_check_interval)
           .doc("When to validate: every so many batches, after such a fraction of an epoch, or a "
                "time DD:HH:MM:SS."),
       option("check_val_every_n_epoch", &O::check_val_every_n_epoch)
           .at_least(1)
           .unit("epochs")
           .doc("Validate in every so many epochs; null: val_check_interval counts over epochs."),
       option("num_sanity_val_steps", &O::num_sanity_val_steps)
           .at_least(-1)
           .unit("batches")
           .doc("Validation batches to try before the training; -1: all."),
       option("inference_mode", &O::inference_mode)
           .doc("Validate, test and predict in inference mode; else only without gradients."),
       option("accumulate_grad_batches", &O::accumulate_grad_batches)
           .at_least(1)
           .unit("batches")
           .doc("Batches whose gradients are added up for one optimizer step."),
       option("gradient_clip_val", &O::gradient_clip_val)
           .at_least(0)
           .at_most(kLargestFloat)
           .doc("Largest norm, or largest value, of the gradients; 0 or null: no clipping."),
       option("gradient_clip_algorithm", &O::gradient_clip_algorithm)
           .unset_is("norm")
           .doc("Clip the total norm, or each value."),
       option("detect_anomaly", &O::detect_anomaly)
           .doc("Let autograd name the operation that made a NaN; slow."),
       option("deterministic", &O::deterministic)
           .doc("Use only deterministic algorithms: true fails where there is none, \"warn\" "
                "warns."),
       option("benchmark", &O::benchmark)
           .doc("Let cuDNN take the fastest of its algorithms; null: as it is, off when "
                "deterministic."),
       option("precision", &O::precision).doc("The number types to compute in."),
       option("log_every_n_steps", &O::log_every_n_steps)
           .at_least(0)
           .unit("optimizer steps")
           .doc("How often loggers get the metrics of a step; 0: never."),
       option("enable_checkpointing", &O::enable_checkpointing)
           .unset_is(true)
           .doc("Add a ModelCheckpoint when there is none among the callbacks."),
       option("checkpoint_saving", &O::checkpoint_saving)
           .unset_is("asynchronous")
           .doc("Write checkpoints while the training continues, or let it wait until they are on "
                "the disk."),
       option("enable_progress_bar", &O::enable_progress_bar)
           .unset_is(true)
           .doc("Show a progress bar."),
       option("enable_model_summary", &O::enable_model_summary)
           .unset_is(true)
           .doc("Log the model's layers and sizes when a fit starts."),
       option("enable_autolog_hparams", &O::enable_autolog_hparams)
           .doc("Give the hyper-parameters of module and data to the loggers."),
       option("profiler", &O::profiler)
           .null_when_empty()
           .doc("Time everything: \"simple\" logs a table, \"advanced\" also writes every call for "
                "chrome://tracing."),
       option("barebones", &O::barebones).doc("Run nothing but the loop, for measuring."),
       option("default_root_dir", &O::default_root_dir)
           .doc("Where logs and checkpoints go; empty: the working directory."),
       option("seed", &O::seed).at_least(0).doc("Of the random generators, set when a run starts."),
       option<DeviceName>("device", &O::device).doc("cpu, cuda, or cuda:N.")});
  return table;
}

TrainerOptions trainer_options(const Parameters& parameters) {
  TrainerOptions options = trainer_options_table().read(parameters);
  // Left out, the whole epoch is meant, which may be counted over epochs too.
  const auto* fraction = std::get_if<double>(&options.val_check_interval.value);
  if (fraction != nullptr && *fraction <= 1 && parameters.was_given("val_check_interval") &&
      !options.check_val_every_n_epoch) {
    refuse_fraction_over_epochs(*fraction);
  }
  for (const char* option : {"num_sanity_val_steps", "log_every_n_steps"}) {
    // The default is turned off; the same number asked for is not.
    const auto count = parameters.get<int64_t>(option);
    if (options.barebones && parameters.was_given(option) && count != 0) {
      refuse_in_barebones(option, std::to_string(count));
    }
  }
  return options;
}

}  // namespace grapnel
