// ModelCheckpoint: what its options may be, its name and its state. What it does is in
// model_checkpoint.cpp.
#include <fmt/format.h>

#include <system_error>

#include "callbacks/checkpoint_files.h"
#include "callbacks/checkpoint_records.h"
#include "grapnel/base/clock.h"
#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/callbacks/model_checkpoint.h"
#include "text/python_format.h"

namespace grapnel {

namespace fs = std::filesystem;

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

// A file's name may have folders, but not lead out of dirpath.
void check_name(const char* key, const std::string& name) {
  if (name.empty() || is_safe_relative(name)) return;
  refuse_option(key,
                fmt::format("{} is {}, which may lead out of the checkpoints' directory; give a "
                            "relative name without '..', and the directory as dirpath",
                            key, quote(name)));
}

}  // namespace

ModelCheckpoint::ModelCheckpoint(ModelCheckpointOptions options)
    : options_(std::move(options)), records_(std::make_unique<CheckpointRecords>(options_.mode)) {
  options_table().check(options_, "ModelCheckpoint");
  check_name("filename", options_.filename);
  check_name("name_last", options_.name_last);
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
}

ModelCheckpoint::~ModelCheckpoint() = default;

const std::string& ModelCheckpoint::best_model_path() const {
  return records_->best_model_path;
}
std::optional<double> ModelCheckpoint::best_model_score() const {
  return records_->best_model_score;
}
std::optional<double> ModelCheckpoint::current_score() const {
  return records_->current_score;
}
const ModelCheckpoint::Scores& ModelCheckpoint::best_k_models() const {
  return records_->best_k_models;
}
const std::string& ModelCheckpoint::kth_best_model_path() const {
  return records_->kth_best_model_path;
}
double ModelCheckpoint::kth_value() const {
  return records_->kth_value;
}
const std::string& ModelCheckpoint::last_model_path() const {
  return records_->last_model_path;
}
const std::string& ModelCheckpoint::newest_model_path() const {
  return records_->newest;
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
       option("last_at_end", &O::last_at_end)
           .doc(
               "Let 'last' hold the end of the training, also where the monitor chose other states."),
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
  StateDict state{
      {"monitor", options_.monitor.empty() ? StateValue() : StateValue(options_.monitor)},
      {"best_model_score", {}},
      {"best_model_path", {}},
      {"current_score", {}},
      {"dirpath", dirpath_},
      {"best_k_models", {}},
      {"kth_best_model_path", {}},
      {"kth_value", {}},
      {"last_model_path", {}},
      {"resume", StateDict{{"format", 1}, {"deferred", deferred_}}},
  };
  records_->save(state);
  StateDict& resume = state["resume"].to_dict();
  if (const auto step = due_step_.last(); step && every_n_train_steps_ > 0) {
    resume["due_step"] = *step;
  }
  if (others_last_) {
    resume["others_last"] = StateList(others_last_->begin(), others_last_->end());
  }
  if (options_.train_time_interval) {
    resume["waited"] = last_time_ ? clock_->now() - *last_time_ : waited_;  // seconds
  }
  return state;
}

void ModelCheckpoint::load_state_dict(const StateDict& state) {
  CheckpointRecords loaded(options_.mode);
  loaded.load(state);
  const StateValue* saved = state.find("dirpath");
  const std::string dirpath = saved == nullptr || saved->is_null() ? dirpath_ : saved->to_string();
  if (dirpath != dirpath_) {
    if (!was_moved_here(dirpath, loaded.newest)) {
      log_warning(
          "ModelCheckpoint: the checkpoint was written with dirpath {}, now it is {}; only the "
          "path of the best model is restored, not the scores and paths of the others",
          quote(dirpath), quote(dirpath_));
      records_->best_model_path = loaded.best_model_path;
      return;
    }
    loaded.follow(dirpath, dirpath_);
  }
  EveryN due_step;
  bool deferred = deferred_;
  double waited = 0;
  std::optional<std::vector<std::string>> others_last;
  if (const StateValue* own = state.find("resume")) {
    const StateDict& resume = own->to_dict();
    deferred = resume.at("deferred").to_bool();
    if (const StateValue* step = resume.find("due_step")) due_step = EveryN(step->to_int());
    if (const StateValue* others = resume.find("others_last")) {
      others_last.emplace();
      for (const StateValue& name : others->to_list()) others_last->push_back(name.to_string());
    }
    if (const StateValue* seconds = resume.find("waited")) waited = seconds->to_double();
  }
  *records_ = std::move(loaded);
  replaceable_ = records_->interruption;
  continues_ = true;
  due_step_ = due_step;
  deferred_ = deferred;
  waited_ = waited;
  others_last_ = std::move(others_last);
}

// Whether the directory was moved or copied: the file that the run is resumed from is in dirpath, in
// the place that it had in the former one.
bool ModelCheckpoint::was_moved_here(const std::string& from, const std::string& newest) const {
  if (resumed_from_.empty()) return false;
  std::error_code error;
  const auto is_same = [&](const fs::path& a, const fs::path& b) {
    return fs::equivalent(a, b, error);
  };
  return is_same(fs::absolute(resumed_from_).parent_path(), dirpath_) ||
         (lies_below(newest, from) &&
          is_same(resumed_from_, dirpath_ / fs::path(newest).lexically_relative(from)));
}

}  // namespace grapnel
