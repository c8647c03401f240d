// ModelCheckpoint: what its options may be, its name and its state. What it does is in
// model_checkpoint.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "callbacks/checkpoint_files.h"
#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/callbacks/model_checkpoint.h"
#include "text/python_format.h"

namespace grapnel {

namespace {

[[noreturn]] void refuse_option(std::string key, const std::string& message) {
  throw ConfigError({}, "ModelCheckpoint: " + message, std::move(key));
}

// true, false or "link".
struct SaveLastType {
  static void describe(ParameterSpec& spec) {
    spec.types = {ParameterType::boolean, ParameterType::string};
    spec.choices = {"link"};
    spec.is_nullable = true;
  }
  static SaveLast read(const ConfigValue& value) {
    if (value.is_string()) return SaveLast::link;
    return value.is_bool() && value.as_bool() ? SaveLast::copy : SaveLast::no;
  }
  static ConfigValue write(SaveLast value) {
    if (value == SaveLast::link) return "link";
    return value == SaveLast::copy;
  }
};

StateValue or_null(const std::optional<double>& value) {
  return value.has_value() ? StateValue(*value) : StateValue();
}

std::optional<double> optional_number(const StateValue* value) {
  if (value == nullptr || value->is_null()) return std::nullopt;
  return value->to_double();
}

std::string text_or(const StateDict& state, std::string_view key, const std::string& otherwise) {
  const StateValue* value = state.find(key);
  return value == nullptr || value->is_null() ? otherwise : value->to_string();
}

}  // namespace

ModelCheckpoint::ModelCheckpoint(ModelCheckpointOptions options) : options_(std::move(options)) {
  options_table().check(options_, "ModelCheckpoint");
  const auto& interval = options_.train_time_interval;
  every_n_train_steps_ = options_.every_n_train_steps.value_or(0);
  every_n_epochs_ = options_.every_n_epochs.value_or(0);
  if (!options_.every_n_train_steps && !options_.every_n_epochs && !interval) every_n_epochs_ = 1;
  if ((every_n_train_steps_ > 0) + (every_n_epochs_ > 0) + interval.has_value() > 1) {
    refuse_option(
        "every_n_train_steps",
        fmt::format("every_n_train_steps={}, every_n_epochs={} and train_time_interval={} exclude "
                    "each other; keep one, and add a second ModelCheckpoint for the other",
                    every_n_train_steps_, every_n_epochs_,
                    interval ? human_seconds(*interval) : "none"));
  }
  if (options_.monitor.empty() && options_.save_top_k > 1) {
    refuse_option(
        "save_top_k",
        fmt::format(
            "save_top_k={} needs a monitor to tell which are the best; without one, accepted "
            "are -1 (all), 0 (none) and 1 (the newest)",
            options_.save_top_k));
  }
  if (!options_.dirpath.empty()) dirpath_ = resolved_directory(options_.dirpath).string();
  records_.kth_value = worst_score(options_.mode);
}

const OptionsTable<ModelCheckpointOptions>& ModelCheckpoint::options_table() {
  using O = ModelCheckpointOptions;
  static const OptionsTable<O> table(
      "model_checkpoint", "Writes checkpoints: the newest, the best by a metric, or all of them.",
      {option("dirpath", &O::dirpath)
           .null_when_empty()
           .doc("Directory of the files; null: 'checkpoints' in the run's log directory."),
       option("filename", &O::filename)
           .null_when_empty()
           .doc("Template of the name, such as '{epoch}-{val_loss:.2f}'; null: '{epoch}-{step}'."),
       option("monitor", &O::monitor)
           .null_when_empty()
           .identifying()
           .doc("Metric that ranks the checkpoints."),
       option("verbose", &O::verbose).doc("Log what was saved, and what was not among the best."),
       option<SaveLastType>("save_last", &O::save_last)
           .doc("Also keep the newest as 'last': true: a full file, 'link': a symbolic link."),
       option("save_top_k", &O::save_top_k)
           .at_least(-1)
           .doc("How many of the best are kept; -1: all, 0: none."),
       option("save_on_exception", &O::save_on_exception).doc("Write one more when the run fails."),
       option("save_weights_only", &O::save_weights_only)
           .doc("Leave out optimizers, callbacks and loops; such a file can't be resumed from."),
       option("mode", &O::mode).identifying().doc("Which direction is better."),
       option("auto_insert_metric_name", &O::auto_insert_metric_name)
           .doc("Write '{epoch}' as 'epoch=3' instead of '3'."),
       option("every_n_train_steps", &O::every_n_train_steps)
           .at_least(0)
           .unit("optimizer steps")
           .identifying()
           .doc("Save after so many optimizer steps; 0: off."),
       option<Seconds>("train_time_interval", &O::train_time_interval)
           .at_least(0)
           .finite()
           .identifying()
           .doc("Save after so much time."),
       option("every_n_epochs", &O::every_n_epochs)
           .at_least(0)
           .unit("epochs")
           .identifying()
           .doc("Save after so many epochs; 0: off. The default of the three is every epoch."),
       option("save_on_train_epoch_end", &O::save_on_train_epoch_end)
           .doc("Save at the end of training epochs (true) or of validations (false)."),
       option("enable_version_counter", &O::enable_version_counter)
           .doc("Add '-v1', '-v2' to a name that is taken, instead of overwriting the file."),
       option("name_last", &O::name_last)
           .filled()
           .doc("Template of the name that save_last uses.")});
  return table;
}

std::string ModelCheckpoint::state_key() const {
  if (!name().empty()) return name();
  const auto& interval = options_.train_time_interval;
  return fmt::format(
      "{}{{'monitor': {}, 'mode': {}, 'every_n_train_steps': {}, 'every_n_epochs': {}, "
      "'train_time_interval': {}}}",
      type_name(), options_.monitor.empty() ? "None" : python_repr(options_.monitor),
      python_repr(to_string(options_.mode)), every_n_train_steps_, every_n_epochs_,
      interval ? python_timedelta_repr(*interval) : "None");
}

StateDict ModelCheckpoint::state_dict() const {
  StateDict scores;
  for (const auto& [path, score] : records_.best_k_models) scores[path] = score;
  return {
      {"monitor", options_.monitor.empty() ? StateValue() : StateValue(options_.monitor)},
      {"best_model_score", or_null(records_.best_model_score)},
      {"best_model_path", records_.best_model_path},
      {"current_score", or_null(records_.current_score ? records_.current_score : loaded_score_)},
      {"dirpath", dirpath_},
      {"best_k_models", scores},
      {"kth_best_model_path", records_.kth_best_model_path},
      {"kth_value", records_.kth_value},
      {"last_model_path", records_.last_model_path},
      {"resume", StateDict{{"format", 1},
                           {"last_global_step_saved", last_global_step_saved_},
                           {"last_checkpoint_saved", last_checkpoint_saved_},
                           {"deferred", deferred_}}},
  };
}

void ModelCheckpoint::load_state_dict(const StateDict& state) {
  const std::string saved_dirpath = text_or(state, "dirpath", dirpath_);
  const std::string best = state.at("best_model_path").to_string();
  if (saved_dirpath != dirpath_) {
    log_warning(
        "ModelCheckpoint: the checkpoint was written with dirpath {}, now it is {}; only the "
        "path of the best model is restored, not the scores and paths of the others",
        quote(saved_dirpath), quote(dirpath_));
    records_.best_model_path = best;
    return;
  }

  Records loaded = records_;
  loaded.best_model_path = best;
  loaded.best_model_score = optional_number(&state.at("best_model_score"));
  loaded.kth_best_model_path = text_or(state, "kth_best_model_path", records_.kth_best_model_path);
  loaded.kth_value = optional_number(state.find("kth_value")).value_or(records_.kth_value);
  loaded.last_model_path = text_or(state, "last_model_path", records_.last_model_path);
  if (const StateValue* scores = state.find("best_k_models")) {
    loaded.best_k_models.clear();
    for (const auto& [path, score] : scores->to_dict()) {
      loaded.best_k_models.emplace_back(path, score.to_double());
    }
  }
  const auto score = optional_number(state.find("current_score"));
  int64_t step = last_global_step_saved_;
  std::string newest = last_checkpoint_saved_;
  bool deferred = deferred_;
  if (const StateValue* resume = state.find("resume")) {
    step = resume->to_dict().at("last_global_step_saved").to_int();
    newest = resume->to_dict().at("last_checkpoint_saved").to_string();
    deferred = resume->to_dict().at("deferred").to_bool();
  }

  records_ = std::move(loaded);
  loaded_score_ = score;
  last_global_step_saved_ = step;
  last_checkpoint_saved_ = std::move(newest);
  deferred_ = deferred;
}

}  // namespace grapnel
