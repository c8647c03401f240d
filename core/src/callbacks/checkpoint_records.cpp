#include "callbacks/checkpoint_records.h"

#include <algorithm>
#include <system_error>

#include "callbacks/checkpoint_files.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"

namespace grapnel {

namespace fs = std::filesystem;

namespace {

using Scores = CheckpointRecords::Scores;

// The first of the best (or of the worst) in the order in which they were saved.
Scores::const_iterator extreme(const Scores& scores, MonitorMode mode) {
  return std::max_element(scores.begin(), scores.end(), [mode](const auto& a, const auto& b) {
    return is_better(mode, b.second, a.second);
  });
}

MonitorMode opposite(MonitorMode mode) {
  return mode == MonitorMode::min ? MonitorMode::max : MonitorMode::min;
}

template <class Pairs>
auto find_path(Pairs& scores, std::string_view path) {
  return std::find_if(scores.begin(), scores.end(),
                      [path](const auto& pair) { return pair.first == path; });
}

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

bool CheckpointRecords::belongs_to_best(double score, int64_t k) const {
  if (k == -1 || static_cast<int64_t>(best_k_models.size()) < k) return true;
  return is_better(mode, score, extreme(best_k_models, opposite(mode))->second);
}

std::vector<std::string> CheckpointRecords::make_room(int64_t k) {
  std::vector<std::string> replaced;  // more than one when fewer are kept than before a resume
  while (k != -1 && static_cast<int64_t>(best_k_models.size()) >= k) {
    const auto worst = extreme(best_k_models, opposite(mode));
    replaced.push_back(worst->first);
    best_k_models.erase(worst);
  }
  return replaced;
}

void CheckpointRecords::add(const std::string& path, double score, int64_t k) {
  current_score = score;
  if (const auto known = find_path(best_k_models, path); known != best_k_models.end()) {
    known->second = score;
  } else {
    best_k_models.emplace_back(path, score);
  }
  if (k == -1 || static_cast<int64_t>(best_k_models.size()) == k) find_kth();
  const auto first = extreme(best_k_models, mode);
  best_model_path = first->first;
  best_model_score = first->second;
}

void CheckpointRecords::find_kth() {
  const auto kth = extreme(best_k_models, opposite(mode));
  kth_best_model_path = kth->first;
  kth_value = kth->second;
}

void CheckpointRecords::move_last(const std::string& path, int64_t step) {
  if (last_model_path != path) drop(std::exchange(last_model_path, path));
  last_step = step;
}

void CheckpointRecords::drop(std::string path) {
  if (!path.empty()) obsolete.push_back(std::move(path));
}

bool CheckpointRecords::keeps(std::string_view path) const {
  return path == best_model_path || path == last_model_path || path == newest ||
         path == interruption || find_path(best_k_models, path) != best_k_models.end();
}

bool CheckpointRecords::names(std::string_view path) const {
  return keeps(path) || std::find(obsolete.begin(), obsolete.end(), path) != obsolete.end();
}

void CheckpointRecords::follow(const fs::path& from, const fs::path& to) {
  const auto exists = [](const std::string& path) {
    std::error_code error;
    return fs::exists(fs::symlink_status(path, error));
  };
  const auto moved = [&](const std::string& path) {
    if (path.empty() || !lies_below(path, from)) return path;
    return (to / fs::path(path).lexically_relative(from)).lexically_normal().string();
  };
  for (std::string* path : {&best_model_path, &kth_best_model_path}) {
    if (exists(moved(*path))) *path = moved(*path);
  }
  for (std::string* path : {&last_model_path, &newest, &interruption}) *path = moved(*path);
  for (std::string& path : obsolete) path = moved(path);
  size_t gone = 0;
  for (auto& [path, score] : best_k_models) path = moved(path);
  gone = std::erase_if(best_k_models, [&](const auto& pair) { return !exists(pair.first); });
  if (gone > 0) {
    log_warning("ModelCheckpoint: {} of the best checkpoints {} not in {} and no longer {}", gone,
                gone == 1 ? "is" : "are", quote(to.string()), gone == 1 ? "counts" : "count");
  }
}

void CheckpointRecords::save(StateDict& state) const {
  StateDict scores;
  for (const auto& [path, score] : best_k_models) scores[path] = score;
  state["best_model_score"] = or_null(best_model_score);
  state["best_model_path"] = best_model_path;
  state["current_score"] = or_null(current_score ? current_score : loaded_score);
  state["best_k_models"] = std::move(scores);
  state["kth_best_model_path"] = kth_best_model_path;
  state["kth_value"] = kth_value;
  state["last_model_path"] = last_model_path;
  StateDict& resume = state["resume"].to_dict();
  resume["last_global_step_saved"] = newest_step;
  resume["last_checkpoint_saved"] = newest;
  resume["step_of_last"] = last_step;
  resume["interruption"] = interruption;
  resume["obsolete"] = StateList(obsolete.begin(), obsolete.end());
}

void CheckpointRecords::load(const StateDict& state) {
  CheckpointRecords loaded(mode);
  loaded.best_model_path = state.at("best_model_path").to_string();
  loaded.best_model_score = optional_number(&state.at("best_model_score"));
  loaded.kth_best_model_path = text_or(state, "kth_best_model_path", "");
  loaded.kth_value = optional_number(state.find("kth_value")).value_or(loaded.kth_value);
  loaded.last_model_path = text_or(state, "last_model_path", "");
  if (const StateValue* scores = state.find("best_k_models")) {
    for (const auto& [path, score] : scores->to_dict()) {
      loaded.best_k_models.emplace_back(path, score.to_double());
    }
  }
  loaded.loaded_score = optional_number(state.find("current_score"));
  if (const StateValue* own = state.find("resume")) {
    const StateDict& resume = own->to_dict();
    loaded.newest_step = resume.at("last_global_step_saved").to_int();
    loaded.newest = resume.at("last_checkpoint_saved").to_string();
    loaded.interruption = text_or(resume, "interruption", "");
    if (const StateValue* step = resume.find("step_of_last")) loaded.last_step = step->to_int();
    if (const StateValue* files = resume.find("obsolete")) {
      for (const StateValue& file : files->to_list()) loaded.obsolete.push_back(file.to_string());
    }
  }
  *this = std::move(loaded);
}

}  // namespace grapnel
