// ModelCheckpoint: when it saves and what it keeps. Options and state are in
// model_checkpoint_options.cpp.
#include "grapnel/callbacks/model_checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "callbacks/checkpoint_files.h"
#include "callbacks/checkpoint_name.h"
#include "callbacks/validation_schedule.h"
#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/json.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/module.h"
#include "grapnel/trainer.h"
#include "run/monitor_check.h"

namespace grapnel {

namespace fs = std::filesystem;

namespace {

// What a name's template and the monitor may refer to: the metrics, as the single-precision numbers
// that they are in Lightning, and "epoch" and "step" as integers.
ModelCheckpoint::Metrics candidates(const Trainer& trainer) {
  ModelCheckpoint::Metrics metrics;
  for (const MetricDict::Entry& entry : trainer.callback_metrics()) {
    metrics.emplace_back(entry.name, static_cast<double>(static_cast<float>(entry.value.number())));
  }
  const auto set_integer = [&metrics](const char* name, int64_t otherwise) {
    for (auto& [key, value] : metrics) {
      if (key != name) continue;
      const double number = std::get<double>(value);
      value = std::isfinite(number) ? static_cast<int64_t>(number) : otherwise;
      return;
    }
    metrics.emplace_back(name, otherwise);
  };
  set_integer("epoch", trainer.current_epoch());
  set_integer("step", trainer.global_step());
  return metrics;
}

template <class Pairs>
auto find(Pairs& pairs, std::string_view key) {
  return std::find_if(pairs.begin(), pairs.end(),
                      [key](const auto& pair) { return pair.first == key; });
}

std::optional<double> score_of(const ModelCheckpoint::Metrics& metrics, std::string_view monitor) {
  const auto found = find(metrics, monitor);
  if (found == metrics.end()) return std::nullopt;
  return std::visit([](auto number) { return static_cast<double>(number); }, found->second);
}

int64_t integer_of(const ModelCheckpoint::Metrics& metrics, std::string_view name) {
  return std::get<int64_t>(find(metrics, name)->second);
}

// The first of the best (or of the worst) in the order in which they were saved.
ModelCheckpoint::Scores::const_iterator extreme(const ModelCheckpoint::Scores& scores,
                                                MonitorMode mode) {
  return std::max_element(scores.begin(), scores.end(), [mode](const auto& a, const auto& b) {
    return is_better(mode, b.second, a.second);
  });
}

MonitorMode opposite(MonitorMode mode) {
  return mode == MonitorMode::min ? MonitorMode::max : MonitorMode::min;
}

}  // namespace

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
  for (const auto& [file, score] : records_.best_k_models) scores.set(file, score);
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
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(resolve_dirpath(trainer), error)) {
    const fs::path& file = entry.path();
    // A link that leads nowhere says that there was a last one.
    const bool is_file = fs::is_regular_file(file, error) || fs::is_symlink(file, error);
    if (file.extension() != options_.extension || !is_file) continue;
    if (is_version_of(file.stem().string(), options_.name_last, options_.join_char)) {
      found.push_back(file);
    }
  }
  // A name made from a template is only known from what was saved.
  if (!records_.last_model_path.empty() && fs::is_regular_file(records_.last_model_path, error) &&
      std::find(found.begin(), found.end(), records_.last_model_path) == found.end()) {
    found.push_back(records_.last_model_path);
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
  dirpath_ = resolve_dirpath(event.trainer);
  std::error_code error;
  if (event.run == RunKind::fit && options_.save_top_k != 0 && fs::is_directory(dirpath_, error) &&
      !fs::is_empty(dirpath_, error)) {
    log_warning("the checkpoint directory {} exists and is not empty",
                quote(display_path(dirpath_)));
  }
}

HookMask ModelCheckpoint::wanted(const HookMask& overridden) const {
  HookMask mask = overridden;
  const auto only_if = [&](Hook hook, bool condition) {
    mask.set(hook, condition && overridden.test(hook));
  };
  const bool timed = options_.train_time_interval.has_value();
  only_if(Hook::on_train_start, timed);
  only_if(Hook::on_train_batch_end, timed || every_n_train_steps_ > 0);
  only_if(Hook::on_exception, options_.save_on_exception);
  only_if(Hook::on_train_end, options_.save_last != SaveLast::no);
  return mask;
}

void ModelCheckpoint::on_train_start(Event& event) {
  last_time_ = event.trainer.clock().now();
}

bool ModelCheckpoint::step_is_due(const Trainer& trainer) const {
  return every_n_train_steps_ > 0 && trainer.global_step() % every_n_train_steps_ == 0;
}

bool ModelCheckpoint::time_is_due(const Trainer& trainer) {
  if (!options_.train_time_interval.has_value()) return false;
  const double now = trainer.clock().now();
  if (now - last_time_ < *options_.train_time_interval) return false;
  last_time_ = now;
  return true;
}

bool ModelCheckpoint::nothing_to_save(const Trainer& trainer) const {
  return trainer.options().fast_dev_run != 0 || trainer.state().kind != RunKind::fit ||
         trainer.sanity_checking() || last_global_step_saved_ == trainer.global_step();
}

bool ModelCheckpoint::saves_at_epoch_end(const Trainer& trainer) const {
  if (options_.save_on_train_epoch_end.has_value()) return *options_.save_on_train_epoch_end;
  if (std::holds_alternative<std::string>(trainer.options().val_check_interval.value)) return false;
  if (trainer.options().check_val_every_n_epoch != 1) return false;
  return !has_validation_batches(trainer) || checks_once_per_epoch(trainer.options());
}

void ModelCheckpoint::on_train_batch_end(TrainBatchEnd& event) {
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
  const Metrics metrics = candidates(trainer);
  save_top_k(trainer, metrics);
  save_last(trainer, metrics);
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
      const Metrics metrics = candidates(trainer);
      save_top_k(trainer, metrics);
      save_last(trainer, metrics);
      deferred_ = false;
    } else {
      save_epoch(trainer);
    }
  }
}

void ModelCheckpoint::save_epoch(Trainer& trainer) {
  const Metrics metrics = candidates(trainer);
  if (every_n_epochs_ > 0 && (trainer.current_epoch() + 1) % every_n_epochs_ == 0) {
    save_top_k(trainer, metrics);
  }
  if (last_global_step_saved_ == trainer.global_step() ||
      (options_.save_last == SaveLast::link && !last_checkpoint_saved_.empty())) {
    save_last(trainer, metrics);
  }
}

void ModelCheckpoint::on_exception(ExceptionEvent& event) {
  Trainer& trainer = event.trainer;
  if (!options_.save_on_exception || trainer.options().fast_dev_run != 0 || !trainer.resumable() ||
      trainer.sanity_checking() || last_global_step_saved_ == trainer.global_step()) {
    return;
  }
  const Metrics metrics = candidates(trainer);
  const std::string path = format_checkpoint_name(metrics);
  save(trainer, path);
  save_last(trainer, metrics);
  log_info("after {} ({}) a checkpoint was saved to {}", event.type, printable(event.message),
           quote(display_path(path)));
}

void ModelCheckpoint::on_train_end(Event& event) {
  if (event.trainer.options().fast_dev_run != 0 || !last_checkpoint_saved_.empty()) return;
  save_last(event.trainer, candidates(event.trainer));
}

void ModelCheckpoint::save_top_k(Trainer& trainer, const Metrics& metrics) {
  if (options_.save_top_k == 0) return;
  if (options_.monitor.empty()) return save_newest(trainer, metrics);
  if (!score_of(metrics, options_.monitor).has_value()) {
    const MetricError error =
        missing_metric(type_name(), options_.monitor, trainer.callback_metrics());
    if (validation_has_run_) throw error;
    warn_missing(error);
  }
  save_if_best(trainer, metrics);
}

void ModelCheckpoint::save_newest(Trainer& trainer, const Metrics& metrics) {
  const Records before = records_;
  const std::string path = free_name(metrics, "", records_.best_model_path);
  records_.best_model_path = path;  // before saving: the file contains it
  try {
    save(trainer, path);
  } catch (...) {
    records_ = before;
    throw;
  }
  if (options_.save_top_k == 1) remove_replaced(trainer, before.best_model_path, path);
}

bool ModelCheckpoint::belongs_to_best(double score) const {
  const auto count = static_cast<int64_t>(records_.best_k_models.size());
  if (options_.save_top_k == -1 || count < options_.save_top_k) return true;
  const auto kth = extreme(records_.best_k_models, opposite(options_.mode));
  return is_better(options_.mode, score, kth->second);
}

void ModelCheckpoint::save_if_best(Trainer& trainer, const Metrics& metrics) {
  const std::optional<double> current = score_of(metrics, options_.monitor);
  const int64_t epoch = integer_of(metrics, "epoch");
  const int64_t step = integer_of(metrics, "step");
  if (!current.has_value() || !belongs_to_best(*current)) {
    if (options_.verbose) {
      log_info("epoch {}, step {}: {} is not among the best {}", epoch, step,
               quote(options_.monitor), options_.save_top_k);
    }
    return;
  }

  const Records before = records_;
  Scores& best = records_.best_k_models;
  const size_t k =
      options_.save_top_k == -1 ? best.size() + 1 : static_cast<size_t>(options_.save_top_k);
  std::vector<std::string> replaced;  // more than one when fewer are kept than before a resume
  while (best.size() >= k) {
    const auto worst = extreme(best, opposite(options_.mode));
    replaced.push_back(worst->first);
    best.erase(worst);
  }
  const double score = std::isnan(*current) ? worst_score(options_.mode) : *current;
  const std::string path = free_name(metrics, "", replaced.empty() ? "" : replaced.front());

  records_.current_score = score;
  if (const auto known = find(best, path); known != best.end()) {
    known->second = score;
  } else {
    best.emplace_back(path, score);
  }
  if (best.size() == k) {
    const auto kth = extreme(best, opposite(options_.mode));
    records_.kth_best_model_path = kth->first;
    records_.kth_value = kth->second;
  }
  const auto first = extreme(best, options_.mode);
  records_.best_model_path = first->first;
  records_.best_model_score = first->second;
  if (options_.verbose) {
    log_info("epoch {}, step {}: {} reached {:.5f} (best {:.5f}), saving {} among the best {}",
             epoch, step, quote(options_.monitor), score, first->second, quote(path), k);
  }
  try {
    save(trainer, path);
  } catch (...) {
    records_ = before;
    throw;
  }
  for (const std::string& old : replaced) remove_replaced(trainer, old, path);
}

void ModelCheckpoint::save_last(Trainer& trainer, const Metrics& metrics) {
  if (options_.save_last == SaveLast::no) return;
  const Records before = records_;
  const std::string path = free_name(metrics, options_.name_last, records_.last_model_path);
  records_.last_model_path = path;  // before saving: the file contains it
  try {
    if (options_.save_last == SaveLast::link && !last_checkpoint_saved_.empty() &&
        options_.save_top_k != 0) {
      link_checkpoint(last_checkpoint_saved_, path);
    } else {
      save(trainer, path);
    }
  } catch (...) {
    records_ = before;
    throw;
  }
  remove_replaced(trainer, before.last_model_path, path);
}

void ModelCheckpoint::save(Trainer& trainer, const std::string& path) {
  // Before it is written, so that a run resumed from this file knows that this step is saved.
  const int64_t step_before = std::exchange(last_global_step_saved_, trainer.global_step());
  std::string path_before = std::exchange(last_checkpoint_saved_, path);
  try {
    trainer.save_checkpoint(path, options_.save_weights_only);
  } catch (...) {
    last_global_step_saved_ = step_before;
    last_checkpoint_saved_ = std::move(path_before);
    throw;
  }
  for (const auto& logger : trainer.loggers()) logger->after_save_checkpoint(path);
}

// The name for these values, with the first version that is free; `own` is a file that may be
// replaced.
std::string ModelCheckpoint::free_name(const Metrics& metrics, const std::string& filename,
                                       const std::string& own) const {
  std::string path = format_checkpoint_name(metrics, filename);
  if (!options_.enable_version_counter) return path;
  for (int64_t version = options_.starting_version; fs::exists(path) && path != own; ++version) {
    path = format_checkpoint_name(metrics, filename, version);
  }
  return path;
}

void ModelCheckpoint::remove_replaced(const Trainer& trainer, const std::string& old,
                                      const std::string& replacement) const {
  if (old.empty() || old == replacement || !lies_below(old, dirpath_)) return;
  const fs::path resumed_from = trainer.ckpt_path();
  if (!resumed_from.empty() && would_remove(old, resumed_from)) return;
  remove_checkpoint(old);
}

void ModelCheckpoint::warn_missing(const MetricError& error) const {
  if (!first_report_of_missing(type_name(), options_.monitor)) return;
  log_warning("{}; nothing is saved so far", error.what());
}

}  // namespace grapnel
