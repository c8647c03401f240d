// ModelCheckpoint: what it saves, under which name, and what happens to the files before.
#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <utility>

#include "callbacks/checkpoint_files.h"
#include "callbacks/checkpoint_name.h"
#include "callbacks/checkpoint_records.h"
#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/callbacks/model_checkpoint.h"
#include "grapnel/checkpoint.h"
#include "grapnel/checkpoint_pin.h"
#include "grapnel/trainer.h"
#include "run/loops.h"
#include "run/monitor_check.h"
#include "run/run.h"

namespace grapnel {

namespace fs = std::filesystem;

namespace {

// Whether what was saved at this step is the present state. Without a step only epochs tell how far a
// training came.
bool is_of_now(int64_t step, const Trainer& trainer) {
  return step > 0 && step == trainer.global_step();
}

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

auto find(const ModelCheckpoint::Metrics& metrics, std::string_view name) {
  return std::find_if(metrics.begin(), metrics.end(),
                      [name](const auto& metric) { return metric.first == name; });
}

std::optional<double> score_of(const ModelCheckpoint::Metrics& metrics, std::string_view monitor) {
  const auto found = find(metrics, monitor);
  if (found == metrics.end()) return std::nullopt;
  return std::visit([](auto number) { return static_cast<double>(number); }, found->second);
}

int64_t integer_of(const ModelCheckpoint::Metrics& metrics, std::string_view name) {
  return std::get<int64_t>(find(metrics, name)->second);
}

bool same_weights(const StateDict& a, const StateDict& b) {
  return a.size() == b.size() && std::all_of(a.begin(), a.end(), [&](const auto& item) {
           const StateValue* other = b.find(item.first);
           if (other == nullptr) return false;
           const at::Tensor x = item.second.to_tensor().cpu();
           const at::Tensor& y = other->to_tensor();
           return x.sizes() == y.sizes() && x.scalar_type() == y.scalar_type() && x.equal(y);
         });
}

// Whether another ModelCheckpoint of the trainer has the file.
bool belongs_to_another(const Trainer& trainer, const ModelCheckpoint& self,
                        const std::string& path) {
  return std::any_of(trainer.callbacks().begin(), trainer.callbacks().end(), [&](const auto& each) {
    const auto* other = dynamic_cast<const ModelCheckpoint*>(each.callback.get());
    return other != nullptr && other != &self && other->has_saved(path);
  });
}

// Makes "last" a link to a file, or a copy of it. A file that somebody has removed by then is no
// reason to end the training: the next one comes.
void lead_to(SaveLast how, const std::string& file, const std::string& last) {
  std::error_code error;
  try {
    if (fs::exists(file, error) || error) {
      return how == SaveLast::link ? link_checkpoint(file, last) : copy_checkpoint(file, last);
    }
  } catch (const IoError& failure) {
    if (failure.error_number != ENOENT || fs::exists(file, error)) throw;
  }
  log_warning("the checkpoint {} was removed as soon as it was written; {} comes with the next one",
              quote(display_path(file)), quote(display_path(last)));
}

// Also of a file that another has started, and that is not there yet.
bool exists_for(const Trainer& trainer, const ModelCheckpoint& self, const std::string& path) {
  return fs::exists(path) || belongs_to_another(trainer, self, path);
}

}  // namespace

bool ModelCheckpoint::has_saved(std::string_view path) const {
  return records_->keeps(path);
}

// ---- What is saved

void ModelCheckpoint::save_now(Trainer& trainer) {
  const Metrics metrics = candidates(trainer);
  in_one_go(trainer, [&] {
    save_top_k(trainer, metrics);
    save_last(trainer, metrics, When::during_training);
  });
}

void ModelCheckpoint::save_epoch(Trainer& trainer) {
  const Metrics metrics = candidates(trainer);
  in_one_go(trainer, [&] {
    if (every_n_epochs_ > 0 && (trainer.current_epoch() + 1) % every_n_epochs_ == 0) {
      save_top_k(trainer, metrics);
    }
    if (records_->newest_step == trainer.global_step() ||
        (options_.save_last == SaveLast::link && !records_->newest.empty())) {
      save_last(trainer, metrics, When::during_training);
    }
  });
}

void ModelCheckpoint::save_interruption(Trainer& trainer) {
  const Metrics metrics = candidates(trainer);
  in_one_go(trainer, [&] {
    const CheckpointRecords before = *records_;
    const std::string path = free_name(trainer, metrics, records_->interruption);
    if (path != records_->interruption) records_->drop(std::exchange(records_->interruption, path));
    save(trainer, path, before);
    save_last(trainer, metrics, When::on_failure);
  });
}

// "last" is what the training has ended with. Where a monitor chose not to save that, it is the
// newest file that it chose, as in Lightning.
void ModelCheckpoint::finish_last(Trainer& trainer) {
  if (is_of_now(records_->last_step, trainer)) return;
  const bool was_not_chosen = !options_.monitor.empty() && !records_->best_model_path.empty();
  if (was_not_chosen && !options_.last_at_end) return;
  in_one_go(trainer, [&] { save_last(trainer, candidates(trainer), When::at_the_end); });
}

void ModelCheckpoint::save_top_k(Trainer& trainer, const Metrics& metrics) {
  if (options_.save_top_k == 0) return;
  if (options_.monitor.empty()) return save_newest(trainer, metrics);
  if (!score_of(metrics, options_.monitor).has_value()) {
    const MetricError error =
        missing_metric(type_name(), options_.monitor, trainer.callback_metrics());
    // Before a stop within an epoch a validation may come earlier than what is logged for the epoch.
    const bool comes_early = Run::of(trainer).loops->fit.ends_within_epoch();
    if (validation_has_run_ && !comes_early) throw error;
    warn_missing(error);
  }
  save_if_best(trainer, metrics);
}

void ModelCheckpoint::save_newest(Trainer& trainer, const Metrics& metrics) {
  const CheckpointRecords before = *records_;
  const std::string path = free_name(trainer, metrics, records_->best_model_path);
  const std::string old = std::exchange(records_->best_model_path, path);
  if (options_.save_top_k == 1 && old != path) records_->drop(old);
  drop_interruption(path);
  announce_last(trainer, metrics);
  save(trainer, path, before);
}

void ModelCheckpoint::save_if_best(Trainer& trainer, const Metrics& metrics) {
  const std::optional<double> current = score_of(metrics, options_.monitor);
  const int64_t epoch = integer_of(metrics, "epoch");
  const int64_t step = integer_of(metrics, "step");
  if (!current.has_value() || !records_->belongs_to_best(*current, options_.save_top_k)) {
    if (options_.verbose) {
      log_info("epoch {}, step {}: {} is not among the best {}", epoch, step,
               quote(options_.monitor), options_.save_top_k);
    }
    return;
  }
  const CheckpointRecords before = *records_;
  const std::vector<std::string> replaced = records_->make_room(options_.save_top_k);
  const double score = std::isnan(*current) ? worst_score(options_.mode) : *current;
  const std::string path = free_name(trainer, metrics, replaced.empty() ? "" : replaced.front());
  for (const std::string& old : replaced) {
    if (old != path) records_->drop(old);
  }
  records_->add(path, score, options_.save_top_k);
  drop_interruption(path);
  announce_last(trainer, metrics);
  if (options_.verbose) {
    log_info("epoch {}, step {}: {} reached {:.5f} (best {:.5f}), saving {} among the best {}",
             epoch, step, quote(options_.monitor), score, *records_->best_model_score, quote(path),
             options_.save_top_k == -1 ? static_cast<int64_t>(records_->best_k_models.size())
                                       : options_.save_top_k);
  }
  save(trainer, path, before);
}

void ModelCheckpoint::save_last(Trainer& trainer, const Metrics& metrics, When when) {
  if (options_.save_last == SaveLast::no) return;
  const CheckpointRecords before = *records_;
  const std::string path = name_of_last(trainer, metrics);
  const bool as_link =
      options_.save_last == SaveLast::link && !records_->newest.empty() && options_.save_top_k != 0;
  if (as_link && (when != When::at_the_end || is_of_now(records_->newest_step, trainer))) {
    records_->move_last(path, records_->newest_step);
    unsettled_.last_from = records_->newest;
    return;
  }
  records_->move_last(path, trainer.global_step());
  if (when != When::on_failure) drop_interruption(path);
  save(trainer, path, before);
}

// before: the records without this file.
void ModelCheckpoint::save(Trainer& trainer, const std::string& path,
                           const CheckpointRecords& before) {
  // One of the same go that has failed has put the records back.
  trainer.finish_checkpoint();
  // Before it is written, so that a run resumed from this file knows that this step is saved.
  records_->newest_step = trainer.global_step();
  records_->newest = path;
  try {
    trainer.start_checkpoint(path, options_.save_weights_only);
  } catch (...) {
    *records_ = CheckpointRecords(before);
    throw;
  }
  trainer.after_checkpoint([this, path] { unsettled_.written.push_back(path); },
                           [this, before] { *records_ = CheckpointRecords(before); });
}

// A run that is resumed from the first file knows the "last" that comes after it, too.
void ModelCheckpoint::announce_last(const Trainer& trainer, const Metrics& metrics) {
  if (options_.save_last == SaveLast::no || !records_->last_model_path.empty()) return;
  records_->last_model_path = name_of_last(trainer, metrics);
}

// The file of an interruption has served once there is another.
void ModelCheckpoint::drop_interruption(const std::string& replacement) {
  const std::string old = std::exchange(records_->interruption, "");
  if (old != replacement) records_->drop(old);
}

// ---- What follows

// Runs `saving`, and then what follows its files. Of one that fails, the loggers learn of the files
// that are complete; everything else is left to the next time.
void ModelCheckpoint::in_one_go(Trainer& trainer, const std::function<void()>& saving) {
  // What follows the files before comes before the records change.
  trainer.finish_checkpoint();
  const auto failed = [this, &trainer] {
    tell_loggers(trainer, std::exchange(unsettled_, {}).written);
  };
  try {
    saving();
  } catch (...) {
    failed();
    throw;
  }
  trainer.after_checkpoint([this, &trainer] { settle(trainer, std::exchange(unsettled_, {})); },
                           failed);
}

// In this order: at every moment "last" leads to a complete file, and what was replaced goes after
// its replacement is complete.
void ModelCheckpoint::settle(Trainer& trainer, const Unsettled& files) {
  tell_loggers(trainer, files.written);
  if (!files.last_from.empty()) {
    lead_to(options_.save_last, files.last_from, records_->last_model_path);
  }
  remove_obsolete();
}

void ModelCheckpoint::tell_loggers(const Trainer& trainer, const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    Run::of(trainer).loggers.each({}, [&](Logger& logger) { logger.after_save_checkpoint(file); });
  }
}

void ModelCheckpoint::remove_obsolete() {
  for (std::string& old : std::exchange(records_->obsolete, {})) {
    if (records_->keeps(old) || !lies_below(old, dirpath_)) continue;
    // Another run that began in this directory may have written a file of the same name.
    if (!resumed_from_.empty() && is_last_of_another(old, records_->last_model_path)) continue;
    const bool is_resumed_from =
        !resumed_from_.empty() && old != replaceable_ && would_remove(old, resumed_from_);
    const bool must_stay = is_resumed_from || CheckpointPin::holds(old);
    if (must_stay || !remove_checkpoint(old)) records_->drop(std::move(old));
  }
}

// What the run that is continued had no time to do: it was killed after a file was written, and
// before "last" was moved to it or what it replaced was removed.
void ModelCheckpoint::take_over(Trainer& trainer) {
  if (!continues_ || std::exchange(took_over_, true)) return;
  if (trainer.options().fast_dev_run != 0) return;
  in_one_go(trainer, [&] {
    std::error_code error;
    if (options_.save_last == SaveLast::no || options_.save_top_k == 0 ||
        records_->last_step >= records_->newest_step || !fs::exists(records_->newest, error)) {
      return;
    }
    const std::string path = name_of_last(trainer, candidates(trainer));
    const int64_t step = step_of_checkpoint(path).value_or(-1);
    records_->move_last(path, std::max(step, records_->newest_step));
    if (step >= records_->newest_step) return;
    unsettled_.last_from = records_->newest;
    if (options_.save_last == SaveLast::copy) records_->newest = path;
  });
}

// ---- Names

// The name for these values, with the first version that is free. `own`: a file that may be
// replaced, as may one that a killed run has written at this very state.
std::string ModelCheckpoint::free_name(Trainer& trainer, const Metrics& metrics,
                                       const std::string& own) const {
  std::string path = format_checkpoint_name(metrics);
  if (!options_.enable_version_counter) return path;
  const auto is_taken = [&] {
    return exists_for(trainer, *this, path) && !would_be_the_same(trainer, path);
  };
  for (int64_t version = options_.starting_version; path != own && is_taken(); ++version) {
    path = format_checkpoint_name(metrics, "", version);
  }
  return path;
}

// "last" is one file that is replaced; a version is for one of another run.
std::string ModelCheckpoint::name_of_last(const Trainer& trainer, const Metrics& metrics) const {
  std::string path = format_checkpoint_name(metrics, options_.name_last);
  if (!options_.enable_version_counter) return path;
  for (int64_t version = options_.starting_version;
       path != records_->last_model_path && exists_for(trainer, *this, path) &&
       !is_last_of_this_run(trainer, path);
       ++version) {
    path = format_checkpoint_name(metrics, options_.name_last, version);
  }
  return path;
}

// Whether a file with the name of "last", which no record names, was left by the run that is
// continued: it was not there when that began, leads to one of its files, or was written beside them.
bool ModelCheckpoint::is_last_of_this_run(const Trainer& trainer, const std::string& path) const {
  if (!continues_ || belongs_to_another(trainer, *this, path)) return false;
  if (others_last_ && std::find(others_last_->begin(), others_last_->end(),
                                fs::path(path).filename().string()) == others_last_->end()) {
    return true;
  }
  std::error_code error;
  const auto leads_to = [&](const fs::path& file) {
    return !file.empty() && fs::equivalent(path, file, error);
  };
  const auto& best = records_->best_k_models;
  if (leads_to(resumed_from_) || leads_to(records_->newest) ||
      leads_to(records_->best_model_path) || leads_to(records_->interruption) ||
      std::any_of(best.begin(), best.end(),
                  [&](const auto& each) { return leads_to(each.first); }) ||
      std::any_of(records_->obsolete.begin(), records_->obsolete.end(), leads_to)) {
    return true;
  }
  if (fs::is_symlink(path, error)) return false;
  const std::string beside = best_of_checkpoint(path, state_key());
  return !beside.empty() && records_->names((fs::path(dirpath_) / beside).string());
}

// A run that was killed after it had written a file is continued from an earlier one, and comes to
// the same state again. Whoever names an older file of the directory goes back on purpose.
bool ModelCheckpoint::would_be_the_same(Trainer& trainer, const std::string& path) const {
  if (!continues_ || belongs_to_another(trainer, *this, path)) return false;
  const bool went_back =
      lies_below(resumed_from_, dirpath_) &&
      !is_version_of(resumed_from_.stem().string(), options_.name_last, options_.join_char);
  if (went_back) return false;
  if (step_of_checkpoint(path) != trainer.global_step()) return false;
  try {
    const StateDict written = load_checkpoint_file(path);
    return written.at("epoch").to_int() == trainer.current_epoch() &&
           written.contains("callbacks") != options_.save_weights_only &&
           same_weights(trainer.dump_checkpoint(/*weights_only=*/true).at("state_dict").to_dict(),
                        written.at("state_dict").to_dict());
  } catch (const Error&) {
    return false;
  }
}

void ModelCheckpoint::warn_missing(const MetricError& error) const {
  if (!first_report_of_missing(type_name(), options_.monitor)) return;
  log_warning("{}; nothing is saved so far", error.what());
}

}  // namespace grapnel
