// ModelCheckpoint: when it saves. Its files are in model_checkpoint_files.cpp, its options and state
// in model_checkpoint_options.cpp.
#include "grapnel/callbacks/model_checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "callbacks/checkpoint_name.h"
#include "callbacks/checkpoint_records.h"
#include "callbacks/validation_schedule.h"
#include "grapnel/base/clock.h"
#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/json.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/module.h"
#include "grapnel/trainer.h"
#include "values/directory_listing.h"

namespace grapnel {

namespace fs = std::filesystem;

std::string ModelCheckpoint::format_checkpoint_name(
    const Metrics& metrics, const std::string& filename, std::optional<int64_t> version,
    const std::optional<std::string>& prefix) const {
  std::string text = filename.empty() ? options_.filename : filename;
  if (text.empty()) text = "{epoch}" + options_.join_char + "{step}";
  std::string stem = format_checkpoint_template(
      text, metrics, options_.auto_insert_metric_name ? options_.equals_char : "");
  if (prefix.has_value()) stem = *prefix + options_.join_char + stem;
  if (version.has_value()) stem += fmt::format("{}v{}", options_.join_char, *version);
  return (fs::path(dirpath_) / (stem + options_.extension)).string();
}

void ModelCheckpoint::to_yaml(fs::path path) const {
  if (path.empty()) path = fs::path(dirpath_) / "best_k_models.yaml";
  // A mapping in JSON's notation is YAML too, whatever the paths contain.
  ConfigValue scores = ConfigValue::object();
  for (const auto& [file, score] : records_->best_k_models) scores.set(file, score);
  write_file(path, write_json(scores, JsonStyle::pretty));
}

std::string ModelCheckpoint::resolve_dirpath(const Trainer& trainer) const {
  if (!dirpath_.empty()) return dirpath_;
  fs::path directory = trainer.default_root_dir();
  if (!trainer.loggers().empty()) {
    const Logger& logger = *trainer.loggers().front();
    if (!logger.save_dir().empty()) directory = fs::absolute(logger.save_dir());
    directory = directory / logger.name() / logger.version();
  }
  return (directory / "checkpoints").lexically_normal().string();
}

std::vector<fs::path> ModelCheckpoint::last_checkpoints(const Trainer& trainer) const {
  std::vector<fs::path> found = files_of_last(resolve_dirpath(trainer));
  std::error_code error;
  // A name made from a template is only known from what was saved.
  if (!records_->last_model_path.empty() && fs::is_regular_file(records_->last_model_path, error) &&
      std::find(found.begin(), found.end(), records_->last_model_path) == found.end()) {
    found.push_back(records_->last_model_path);
  }
  return found;
}

std::vector<fs::path> ModelCheckpoint::files_of_last(const fs::path& directory) const {
  std::vector<fs::path> found;
  std::error_code error;
  for (const fs::path& file : paths_in(directory)) {
    // A link that leads nowhere says that there was a last one.
    const bool is_file = fs::is_regular_file(file, error) || fs::is_symlink(file, error);
    if (file.extension() != options_.extension || !is_file) continue;
    if (is_version_of(file.stem().string(), options_.name_last, options_.join_char)) {
      found.push_back(file);
    }
  }
  return found;
}

// "epoch" and "step" are always there.
MetricMonitor::Watched ModelCheckpoint::watched_metric() const {
  const std::string& name = options_.monitor;
  if (options_.save_top_k == 0 || name == "epoch" || name == "step") return {};
  return {.name = name};
}

void ModelCheckpoint::setup(StageEvent& event) {
  Trainer& trainer = event.trainer;
  const bool is_new = event.run == RunKind::fit && trainer.global_step() == 0;
  if (is_new && options_.dirpath.empty()) dirpath_.clear();  // perhaps of another trainer
  dirpath_ = resolve_dirpath(trainer);
  clock_ = &trainer.clock();
  if (event.run != RunKind::fit) return;
  resumed_from_ = trainer.ckpt_path();
  continues_ = took_over_ = false;
  replaceable_.clear();
  unsettled_ = {};
  last_time_.reset();
  if (is_new) begin_anew();
  if (trainer.options().fast_dev_run == 0) static_cast<void>(remove_stale_temporaries(dirpath_));
  std::error_code error;
  if (options_.save_top_k != 0 && fs::is_directory(dirpath_, error) &&
      !fs::is_empty(dirpath_, error)) {
    log_warning("the checkpoint directory {} exists and is not empty",
                quote(display_path(dirpath_)));
  }
}

// What was saved of another training is none of this one's.
void ModelCheckpoint::begin_anew() {
  *records_ = CheckpointRecords(options_.mode);
  due_step_ = EveryN::from_start();
  deferred_ = validation_has_run_ = false;
  waited_ = 0;
  others_last_.reset();
  const bool is_template = options_.name_last.find('{') != std::string::npos;
  if (options_.save_last == SaveLast::no || is_template) return;
  others_last_.emplace();
  for (const fs::path& file : files_of_last(dirpath_)) {
    others_last_->push_back(file.filename().string());
  }
}

HookMask ModelCheckpoint::wanted(const HookMask& overridden) const {
  HookMask mask = overridden;
  const auto only_if = [&](Hook hook, bool condition) {
    mask.set(hook, condition && overridden.test(hook));
  };
  only_if(Hook::on_train_batch_end, options_.train_time_interval || every_n_train_steps_ > 0);
  only_if(Hook::on_exception, options_.save_on_exception);
  only_if(Hook::on_train_end, options_.save_last != SaveLast::no);
  return mask;
}

void ModelCheckpoint::on_train_start(Event& event) {
  last_time_ = event.trainer.clock().now() - std::exchange(waited_, 0);
  take_over(event.trainer);
}

bool ModelCheckpoint::step_is_due(const Trainer& trainer) {
  if (every_n_train_steps_ == 0) return false;
  const int64_t step = trainer.global_step();
  if (!due_step_.passed(step, every_n_train_steps_)) return false;
  due_step_.note(step);
  return true;
}

bool ModelCheckpoint::time_is_due(const Trainer& trainer) {
  if (!options_.train_time_interval.has_value()) return false;
  const double now = trainer.clock().now();
  if (now - *last_time_ < *options_.train_time_interval) return false;
  last_time_ = now;
  return true;
}

bool ModelCheckpoint::nothing_to_save(const Trainer& trainer) const {
  return trainer.options().fast_dev_run != 0 || trainer.state().kind != RunKind::fit ||
         trainer.sanity_checking() || records_->newest_step == trainer.global_step();
}

bool ModelCheckpoint::saves_at_epoch_end(const Trainer& trainer) const {
  if (options_.save_on_train_epoch_end.has_value()) return *options_.save_on_train_epoch_end;
  if (std::holds_alternative<std::string>(trainer.options().val_check_interval.value)) return false;
  if (trainer.options().check_val_every_n_epoch != 1) return false;
  return !has_validation_batches(trainer) || checks_once_per_epoch(trainer.options());
}

void ModelCheckpoint::on_train_batch_end(TrainBatchEnd& event) {
  const auto due = std::pair(due_step_, last_time_);
  try {
    save_if_due(event);
  } catch (...) {  // a resumed run has this call again, and what is due is due then
    std::tie(due_step_, last_time_) = due;
    throw;
  }
}

void ModelCheckpoint::save_if_due(TrainBatchEnd& event) {
  Trainer& trainer = event.trainer;
  const bool step = step_is_due(trainer);
  const bool time = time_is_due(trainer);
  if (!step && !time) return;
  const bool automatic = event.module.automatic_optimization;
  if (!automatic && nothing_to_save(trainer)) return;

  const bool monitored = !options_.monitor.empty();
  if (monitored && !trainer.callback_metrics().contains(options_.monitor)) {
    deferred_ = true;  // to the validation that makes the metric
    return;
  }
  // The metric may be that of the previous validation, while the next one follows right after this
  // batch.
  if (automatic && monitored && trainer.state().is_last_batch && !saves_at_epoch_end(trainer) &&
      validates_this_epoch(trainer)) {
    deferred_ = true;
    return;
  }
  if (nothing_to_save(trainer)) return;
  save_now(trainer);
}

void ModelCheckpoint::on_train_epoch_end(Event& event) {
  Trainer& trainer = event.trainer;
  if (!nothing_to_save(trainer) && saves_at_epoch_end(trainer)) save_epoch(trainer);
}

void ModelCheckpoint::on_validation_start(Event& event) {
  if (event.trainer.state().kind == RunKind::fit) validation_has_run_ = false;
}

void ModelCheckpoint::on_validation_end(Event& event) {
  Trainer& trainer = event.trainer;
  // What validation didn't log by now, it won't.
  if (trainer.state().kind == RunKind::fit) validation_has_run_ = !trainer.sanity_checking();
  if (!nothing_to_save(trainer) && !saves_at_epoch_end(trainer)) {
    if (deferred_) {
      save_now(trainer);
      deferred_ = false;
    } else {
      save_epoch(trainer);
    }
  } else if (validation_has_run_ && records_->newest_step == trainer.global_step()) {
    deferred_ = false;  // a run that failed after this step's file and is resumed has it saved
  }
}

void ModelCheckpoint::on_exception(ExceptionEvent& event) {
  Trainer& trainer = event.trainer;
  if (!options_.save_on_exception || trainer.options().fast_dev_run != 0 || !trainer.resumable() ||
      trainer.sanity_checking() || records_->newest_step == trainer.global_step()) {
    return;
  }
  try {
    save_interruption(trainer);
  } catch (const IoError& error) {
    // What ends the run is another error, and its state is saved elsewhere.
    log_warning("{}", error.what());
    return;
  }
  log_info("after {} ({}) a checkpoint was saved to {}", event.type, printable(event.message),
           quote(display_path(records_->interruption)));
}

void ModelCheckpoint::on_train_end(Event& event) {
  if (event.trainer.options().fast_dev_run == 0) finish_last(event.trainer);
}

void ModelCheckpoint::on_nothing_left(Trainer& trainer) {
  if (!continues_ || trainer.options().fast_dev_run != 0) return;
  take_over(trainer);
  if (records_->last_step != trainer.global_step()) finish_last(trainer);
}

}  // namespace grapnel
