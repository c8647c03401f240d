#include "compare.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace grapnel::random_test {

namespace {

// Every bit, with NaN equal to NaN.
bool same(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes() || a.scalar_type() != b.scalar_type()) return false;
  if (at::equal(a, b)) return true;
  return a.is_floating_point() &&
         a.eq(b).logical_or(a.isnan().logical_and(b.isnan())).all().item<bool>();
}

bool same(double a, double b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

std::string shown(const StateValue& value) {
  if (value.is_null()) return "null";
  if (value.is_bool()) return value.to_bool() ? "true" : "false";
  if (value.is_int()) return std::to_string(value.to_int());
  if (value.is_double()) return fmt::format("{:.9g}", value.to_double());
  if (value.is_string()) return "'" + value.to_string() + "'";
  return value.describe();
}

// Whether a place in a checkpoint differs for good reason.
bool is_beside_the_point(const std::string& path) {
  static const std::vector<std::string> parts = {
      // How often a batch was begun: one that the run was stopped in is begun again.
      ".ready", ".started",
      // Where the last validation was; the next one starts over.
      ".val_batch_progress", "validated_at_batch",
      // The tester's own.
      "callbacks.Probe", "callbacks.keeper",
      // Of logged rows, which may hold measurements; the rows themselves are compared.
      ".digest",
      // Measurements.
      "callbacks.Timer.time_elapsed.sanity_check", "callbacks.Timer.time_elapsed.validate",
      "ThroughputMonitor", "run_time_estimator", "data_wait_monitor", "memory_observer"};
  return std::any_of(parts.begin(), parts.end(),
                     [&](const std::string& part) { return path.find(part) != std::string::npos; });
}

// Whether it is the state of a logged metric that holds a measurement, or {function, name} of one.
bool is_measured_metric(const StateValue& value) {
  if (value.is_list() && value.to_list().size() == 2 && value.to_list()[1].is_string()) {
    return is_measurement(value.to_list()[1].to_string());
  }
  if (!value.is_dict()) return false;
  const StateValue* name = value.to_dict().find("name");
  return name != nullptr && name->is_string() && is_measurement(name->to_string());
}

// A measurement may be there in the one run and not in the other.
StateList without_measured(const StateList& list) {
  StateList rest;
  for (const StateValue& value : list) {
    if (!is_measured_metric(value)) rest.push_back(value);
  }
  return rest;
}

void compare_state(const StateValue& a, const StateValue& b, const std::string& path,
                   std::vector<Difference>& found) {
  if (is_beside_the_point(path) || (is_measured_metric(a) && is_measured_metric(b))) return;
  if (a.is_dict() && b.is_dict()) {
    const StateDict& other = b.to_dict();
    for (const auto& [key, value] : a.to_dict()) {
      const std::string inner = path.empty() ? key : path + "." + key;
      if (const StateValue* match = other.find(key)) {
        compare_state(value, *match, inner, found);
      } else if (!is_beside_the_point(inner) && !is_measurement(inner)) {
        found.push_back({"state", inner + " is missing after the resume"});
      }
    }
    for (const auto& [key, value] : other) {
      const std::string inner = path.empty() ? key : path + "." + key;
      if (!a.to_dict().contains(key) && !is_beside_the_point(inner) && !is_measurement(inner)) {
        found.push_back({"state", inner + " is there only after the resume"});
      }
    }
    return;
  }
  if (is_measurement(path)) return;
  if (a.is_list() && b.is_list()) {
    const StateList one = without_measured(a.to_list());
    const StateList other = without_measured(b.to_list());
    if (one.size() == other.size()) {
      for (size_t i = 0; i < one.size(); ++i) {
        compare_state(one[i], other[i], fmt::format("{}.{}", path, i), found);
      }
      return;
    }
  }
  if (a.is_tensor() && b.is_tensor()) {
    if (!same(a.to_tensor(), b.to_tensor())) found.push_back({"state", path + " differs"});
    return;
  }
  const bool equal =
      (a.is_double() && b.is_double()) ? same(a.to_double(), b.to_double()) : shown(a) == shown(b);
  if (!equal) {
    found.push_back({"state", fmt::format("{} is {}, undisturbed {}", path, shown(b), shown(a))});
  }
}

// The resumed run's hooks are the last ones of the undisturbed run's, from the place on where the
// checkpoint was written, or a little before: what was begun there is begun again.
void compare_hooks(const Ending& undisturbed, const Ending& resumed,
                   std::vector<Difference>& found) {
  const Probe::Trace& whole = undisturbed.trace;
  const Probe::Trace& tail = resumed.trace;
  if (tail.size() > whole.size()) {
    found.push_back({"hooks", fmt::format("{} hooks after the resume, {} in the whole run",
                                          tail.size(), whole.size())});
    return;
  }
  const size_t begin = whole.size() - tail.size();
  const auto [a, b] =
      std::mismatch(whole.begin() + static_cast<std::ptrdiff_t>(begin), whole.end(), tail.begin());
  const auto missing = static_cast<int64_t>(begin) - resumed.resumed_at;
  if (a != whole.end()) {
    // Where they part, seen from the front: both begin where the checkpoint was written.
    const auto from =
        std::min(static_cast<size_t>(std::max<int64_t>(resumed.resumed_at, 0)), whole.size());
    size_t i = 0;
    while (i < tail.size() && from + i < whole.size() && tail[i] == whole[from + i]) ++i;
    found.push_back(
        {"hooks", fmt::format("{} hooks after the resume (the checkpoint was written after {} of "
                              "{}); the {}. is '{}', undisturbed '{}'",
                              tail.size(), resumed.resumed_at, whole.size(), i + 1,
                              i < tail.size() ? tail[i] : "the end",
                              from + i < whole.size() ? whole[from + i] : "the end")});
  } else if (missing > 0) {
    found.push_back(
        {"hooks", fmt::format("{} hooks are left out after the resume, the first is '{}'", missing,
                              whole[static_cast<size_t>(resumed.resumed_at)])});
  }
}

void compare_weights(const Ending& undisturbed, const Ending& resumed,
                     std::vector<Difference>& found) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : undisturbed.weights) {
    const auto other = std::find_if(resumed.weights.begin(), resumed.weights.end(),
                                    [&](const auto& item) { return item.first == name; });
    if (other == resumed.weights.end()) {
      names.push_back(name + " (missing)");
    } else if (!same(tensor, other->second)) {
      const double distance =
          (tensor.to(at::kDouble) - other->second.to(at::kDouble)).abs().max().item<double>();
      names.push_back(fmt::format("{} (by {:.3g})", name, distance));
    }
  }
  if (undisturbed.weights.size() != resumed.weights.size()) {
    names.push_back(fmt::format("{} entries, undisturbed {}", resumed.weights.size(),
                                undisturbed.weights.size()));
  }
  if (!names.empty()) found.push_back({"weights", fmt::format("{}", fmt::join(names, ", "))});
}

std::string shown(const MemoryLogger::Row& row) {
  std::string text = fmt::format("step {}", row.step);
  Logger::Metrics metrics = row.metrics;
  std::sort(metrics.begin(), metrics.end());
  for (const auto& [name, value] : metrics) {
    if (!is_measurement(name)) text += fmt::format(" {}={:.9g}", name, value);
  }
  return text;
}

// Rows without those that hold measurements alone.
std::vector<std::string> shown(const std::vector<MemoryLogger::Row>& rows) {
  std::vector<std::string> texts;
  for (const MemoryLogger::Row& row : rows) {
    const bool only_measured = std::all_of(
        row.metrics.begin(), row.metrics.end(),
        [](const auto& metric) { return metric.first == "epoch" || is_measurement(metric.first); });
    if (!only_measured) texts.push_back(shown(row));
  }
  return texts;
}

void compare_rows(const Ending& undisturbed, const Ending& resumed,
                  std::vector<Difference>& found) {
  const std::vector<std::string> a = shown(undisturbed.rows);
  const std::vector<std::string> b = shown(resumed.rows);
  if (a == b) return;
  size_t i = 0;
  while (i < a.size() && i < b.size() && a[i] == b[i]) ++i;
  found.push_back({"rows", fmt::format("row {} of {} is '{}', undisturbed ({}) '{}'", i, b.size(),
                                       i < b.size() ? b[i] : "missing", a.size(),
                                       i < a.size() ? a[i] : "missing")});
}

void compare_metrics(const Ending& undisturbed, const Ending& resumed,
                     std::vector<Difference>& found) {
  for (const auto& [name, value] : undisturbed.metrics) {
    if (is_measurement(name)) continue;
    const auto other = resumed.metrics.find(name);
    if (other == resumed.metrics.end()) {
      found.push_back({"metrics", name + " is missing after the resume"});
    } else if (!same(value, other->second)) {
      found.push_back(
          {"metrics", fmt::format("{} is {:.9g}, undisturbed {:.9g}", name, other->second, value)});
    }
  }
}

void compare_files(const RunFiles& undisturbed, const RunFiles& resumed,
                   std::vector<Difference>& found) {
  for (const auto& [name, content] : undisturbed) {
    const auto other = resumed.find(name);
    if (other == resumed.end()) {
      found.push_back({"files", name + " is missing after the resume"});
    } else if (other->second != content) {
      const auto [a, b] =
          std::mismatch(content.begin(), content.end(), other->second.begin(), other->second.end());
      const auto from = static_cast<size_t>(a - content.begin());
      const size_t line = content.rfind('\n', from == 0 ? 0 : from - 1);
      const size_t begin = line == std::string::npos ? 0 : line + 1;
      const auto one_line = [&](const std::string& text) {
        return begin >= text.size()
                   ? std::string("the end")
                   : text.substr(begin, std::min(text.find('\n', begin), begin + 200) - begin);
      };
      found.push_back({"files", fmt::format("{} has '{}', undisturbed '{}'", name,
                                            one_line(other->second), one_line(content))});
    }
  }
  for (const auto& [name, content] : resumed) {
    if (!undisturbed.contains(name)) {
      found.push_back({"files", name + " is there only after the resume"});
    }
  }
}

}  // namespace

std::vector<Difference> compare(const Ending& undisturbed, const RunFiles& undisturbed_files,
                                const Ending& resumed, const RunFiles& resumed_files,
                                Extent extent) {
  std::vector<Difference> found;
  if (!resumed.error.empty()) {
    found.push_back({"error", "the resumed run failed: " + resumed.error});
    return found;
  }
  if (extent == Extent::all) compare_hooks(undisturbed, resumed, found);
  if (undisturbed.global_step != resumed.global_step || undisturbed.epochs != resumed.epochs) {
    found.push_back(
        {"steps", fmt::format("{} steps and {} epochs, undisturbed {} and {}", resumed.global_step,
                              resumed.epochs, undisturbed.global_step, undisturbed.epochs)});
  }
  compare_weights(undisturbed, resumed, found);
  if (extent == Extent::training) return found;
  compare_state(StateValue(undisturbed.checkpoint), StateValue(resumed.checkpoint), "", found);
  compare_metrics(undisturbed, resumed, found);
  compare_rows(undisturbed, resumed, found);
  compare_files(undisturbed_files, resumed_files, found);
  return found;
}

}  // namespace grapnel::random_test
