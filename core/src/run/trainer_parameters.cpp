// The Trainer's options by name, as run.json has them.
#include "grapnel/trainer_options.h"

#include <fmt/format.h>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"
#include "run/run.h"

namespace grapnel {

namespace {

Amount amount(const Parameters& parameters, const char* name) {
  if (parameters.kind(name) == ConfigValue::Kind::integer) return parameters.get<int64_t>(name);
  return parameters.get<double>(name);
}

ParameterSpec batches(const char* name, double fallback) {
  return parameter::either({ParameterType::integer, ParameterType::number}, name, fallback)
      .at_least(0)
      .doc("Batches to use: a whole number of them, or a fraction of all.");
}

Precision precision(const Parameters& p) {
  const bool is_integer = p.kind("precision") == ConfigValue::Kind::integer;
  const std::string text =
      is_integer ? std::to_string(p.get<int64_t>("precision")) : p.get<std::string>("precision");
  if (const auto found = parse_precision(text)) return *found;
  throw ConfigError({},
                    fmt::format("precision={} is not possible; it must be one of {}", text,
                                join(precision_names())),
                    "precision");
}

}  // namespace

const ParameterTable& trainer_parameters() {
  using namespace parameter;
  static const ParameterTable table(
      "trainer", "How long, on how much data and with what around it a run goes on.",
      {integer("max_epochs")
           .nullable()
           .at_least(-1)
           .unit("epochs")
           .doc("Epochs to train; -1: no limit. Null: 1000, or no limit when max_steps is set."),
       integer("min_epochs")
           .nullable()
           .at_least(0)
           .unit("epochs")
           .doc("Epochs before a stop request is granted."),
       integer("max_steps", -1)
           .at_least(-1)
           .unit("optimizer steps")
           .doc("Optimizer steps to train; -1: no limit."),
       integer("min_steps")
           .nullable()
           .at_least(0)
           .unit("optimizer steps")
           .doc("Optimizer steps before a stop request is granted."),
       parameter::string("max_time", "").doc("Time to train, DD:HH:MM:SS; empty: no limit."),
       batches("limit_train_batches", 1.0),
       batches("limit_val_batches", 1.0),
       batches("limit_test_batches", 1.0),
       batches("limit_predict_batches", 1.0),
       batches("overfit_batches", 0.0),
       either({ParameterType::boolean, ParameterType::integer}, "fast_dev_run", int64_t{0})
           .at_least(0)
           .unit("batches")
           .doc("Run so many batches of everything (true: one), once, and write nothing; 0: off."),
       integer("reload_dataloaders_every_n_epochs", 0)
           .at_least(0)
           .unit("epochs")
           .doc("Ask for the data loaders anew so often; 0: never."),
       either({ParameterType::integer, ParameterType::number, ParameterType::string},
              "val_check_interval", 1.0)
           .doc("When to validate: every so many batches, after such a fraction of an epoch, or a "
                "time "
                "DD:HH:MM:SS."),
       integer("check_val_every_n_epoch", 1)
           .nullable()
           .at_least(1)
           .unit("epochs")
           .doc("Validate in every so many epochs; null: val_check_interval counts over epochs."),
       integer("num_sanity_val_steps", 2)
           .at_least(-1)
           .unit("batches")
           .doc("Validation batches to try before the training; -1: all."),
       boolean("inference_mode", true)
           .doc("Validate, test and predict in inference mode; else only without gradients."),
       integer("accumulate_grad_batches", 1)
           .at_least(1)
           .unit("batches")
           .doc("Batches whose gradients are added up for one optimizer step."),
       number("gradient_clip_val")
           .nullable()
           .at_least(0)
           .doc("Largest norm, or largest value, of the gradients; 0 or null: no clipping."),
       parameter::string("gradient_clip_algorithm", "norm")
           .one_of({"norm", "value"})
           .doc("Clip the total norm, or each value."),
       boolean("detect_anomaly", false)
           .doc("Let autograd name the operation that made a NaN; slow."),
       either({ParameterType::boolean, ParameterType::string}, "deterministic")
           .nullable()
           .one_of({"warn"})
           .doc("Use only deterministic algorithms: true fails where there is none, \"warn\" "
                "warns."),
       boolean("benchmark")
           .nullable()
           .doc("Let cuDNN take the fastest of its algorithms; null: as it is, off when "
                "deterministic."),
       either({ParameterType::integer, ParameterType::string}, "precision", "32-true")
           .one_of(precision_names())
           .doc("The number types to compute in."),
       integer("log_every_n_steps", 50)
           .at_least(0)
           .unit("optimizer steps")
           .doc("How often loggers get the metrics of a step; 0: never."),
       boolean("enable_checkpointing", true)
           .doc("Add a ModelCheckpoint when there is none among the callbacks."),
       boolean("enable_progress_bar", true).doc("Show a progress bar."),
       boolean("enable_model_summary", true)
           .doc("Log the model's layers and sizes when a fit starts."),
       boolean("enable_autolog_hparams", true)
           .doc("Give the hyper-parameters of module and data to the loggers."),
       parameter::string("profiler")
           .nullable()
           .one_of({"simple", "advanced"})
           .doc("Time everything: \"simple\" logs a table, \"advanced\" also writes every call for "
                "chrome://tracing."),
       boolean("barebones", false).doc("Run nothing but the loop, for measuring."),
       parameter::string("default_root_dir", "")
           .doc("Where logs and checkpoints go; empty: the working directory."),
       integer("seed").nullable().at_least(0).doc(
           "Of the random generators, set when a run starts."),
       parameter::string("device", "cpu").doc("cpu, cuda, or cuda:N.")});
  return table;
}

TrainerOptions trainer_options(const Parameters& p) {
  TrainerOptions options;
  options.max_epochs = p.get<std::optional<int64_t>>("max_epochs");
  options.min_epochs = p.get<std::optional<int64_t>>("min_epochs");
  options.max_steps = p.get<int64_t>("max_steps");
  options.min_steps = p.get<std::optional<int64_t>>("min_steps");
  options.max_time = p.get<std::string>("max_time");
  options.limit_train_batches = amount(p, "limit_train_batches");
  options.limit_val_batches = amount(p, "limit_val_batches");
  options.limit_test_batches = amount(p, "limit_test_batches");
  options.limit_predict_batches = amount(p, "limit_predict_batches");
  options.overfit_batches = amount(p, "overfit_batches");
  options.fast_dev_run = p.kind("fast_dev_run") == ConfigValue::Kind::boolean
                             ? int64_t{p.get<bool>("fast_dev_run")}
                             : p.get<int64_t>("fast_dev_run");
  options.reload_dataloaders_every_n_epochs = p.get<int64_t>("reload_dataloaders_every_n_epochs");
  switch (p.kind("val_check_interval")) {
    case ConfigValue::Kind::integer:
      options.val_check_interval = p.get<int64_t>("val_check_interval");
      break;
    case ConfigValue::Kind::string:
      options.val_check_interval = p.get<std::string>("val_check_interval");
      break;
    default:
      options.val_check_interval = p.get<double>("val_check_interval");
      // Left out, the whole epoch is meant, which may be counted over epochs too.
      if (p.was_given("val_check_interval") && p.is_null("check_val_every_n_epoch") &&
          p.get<double>("val_check_interval") <= 1) {
        refuse_fraction_over_epochs(p.get<double>("val_check_interval"));
      }
  }
  options.check_val_every_n_epoch = p.get<std::optional<int64_t>>("check_val_every_n_epoch");
  options.num_sanity_val_steps = p.get<int64_t>("num_sanity_val_steps");
  options.inference_mode = p.get<bool>("inference_mode");
  options.accumulate_grad_batches = p.get<int64_t>("accumulate_grad_batches");
  options.gradient_clip_val = p.get<std::optional<double>>("gradient_clip_val");
  if (p.was_given("gradient_clip_algorithm")) {
    options.gradient_clip_algorithm = p.get<std::string>("gradient_clip_algorithm") == "norm"
                                          ? ClipAlgorithm::norm
                                          : ClipAlgorithm::value;
  }
  options.detect_anomaly = p.get<bool>("detect_anomaly");
  options.precision = precision(p);
  if (p.kind("deterministic") == ConfigValue::Kind::boolean) {
    options.deterministic = p.get<bool>("deterministic") ? Deterministic::on : Deterministic::off;
  } else if (p.kind("deterministic") == ConfigValue::Kind::string) {
    options.deterministic = Deterministic::warn;
  }
  options.benchmark = p.get<std::optional<bool>>("benchmark");
  options.log_every_n_steps = p.get<int64_t>("log_every_n_steps");
  if (p.was_given("enable_checkpointing")) {
    options.enable_checkpointing = p.get<bool>("enable_checkpointing");
  }
  if (p.was_given("enable_progress_bar")) {
    options.enable_progress_bar = p.get<bool>("enable_progress_bar");
  }
  if (p.was_given("enable_model_summary")) {
    options.enable_model_summary = p.get<bool>("enable_model_summary");
  }
  options.enable_autolog_hparams = p.get<bool>("enable_autolog_hparams");
  if (const auto profiler = p.get<std::optional<std::string>>("profiler")) {
    options.profiler = *profiler == "simple" ? ProfilerKind::simple : ProfilerKind::advanced;
  }
  options.barebones = p.get<bool>("barebones");
  for (const char* option : {"num_sanity_val_steps", "log_every_n_steps"}) {
    // The default is turned off; the same number asked for is not.
    const auto count = p.get<int64_t>(option);
    if (options.barebones && p.was_given(option) && count != 0) {
      refuse_in_barebones(option, std::to_string(count));
    }
  }
  options.default_root_dir = p.get<std::string>("default_root_dir");
  if (const auto seed = p.get<std::optional<int64_t>>("seed")) {
    options.seed = static_cast<uint64_t>(*seed);
  }
  options.device = p.get<std::string>("device");
  return options;
}

}  // namespace grapnel
