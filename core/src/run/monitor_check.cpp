#include "run/monitor_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/dispatcher.h"
#include "grapnel/metric_names.h"
#include "grapnel/trainer.h"
#include "run/run_metrics.h"
#include "run/standard_callbacks.h"

namespace grapnel {

namespace {

using MetricNames = std::vector<std::string>;

bool has_name(const MetricNames& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void append(MetricNames& names, const MetricNames& more) {
  names.insert(names.end(), more.begin(), more.end());
}

// The candidate that the name is a likely typo of: one letter missing, doubled or wrong, or two
// exchanged. Stricter than nearest(), because distinct metrics often have similar names. Empty:
// none.
std::string typo_of(const std::string& name, const MetricNames& candidates) {
  constexpr size_t kShortest = 5;
  constexpr size_t kLetters = 2;
  const std::string found = nearest(name, candidates).value_or("");
  const bool typo = name.size() >= kShortest && edit_distance(name, found) <= kLetters;
  return typo ? found : "";
}

}  // namespace

bool first_report_of_missing(const std::string& who, const std::string& metric) {
  return first_time(fmt::format("missing-metric/{}/{}", who, metric));
}

void MonitorCheck::begin_fit() {
  active_ = !trainer_.options().barebones;  // in which nothing is logged
  validated_ = false;
  declared_.clear();
}

MetricNames MonitorCheck::known_names() const {
  MetricNames names = trainer_.callback_metrics().names();
  append(names, metrics_.monitored_names());
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::vector<MonitorCheck::Monitor> MonitorCheck::monitors_without(const MetricNames& known) const {
  std::vector<Monitor> found;
  const auto add = [&](const std::string& who, const std::string& metric, bool required,
                       bool fails_run) {
    if (metric.empty() || has_name(known, metric)) return;
    found.push_back({who, metric, required, required && fails_run});
  };
  for (const CallbackHandle& handle : trainer_.callbacks()) {
    if (trainer_.dispatcher().disabled(handle.callback.get())) continue;
    if (const auto* monitor = dynamic_cast<const MetricMonitor*>(handle.callback.get())) {
      const MetricMonitor::Watched watched = monitor->watched_metric();
      add(handle.callback->type_name(), watched.name, watched.required,
          handle.on_error == OnError::fail);
    }
  }
  if (!trainer_.module().automatic_optimization) return found;
  for (const SchedulerConfig& config : trainer_.schedulers()) {
    if (config.scheduler->wants_metric()) {
      add(config.scheduler->type_name(), config.monitor, config.strict, true);
    }
  }
  return found;
}

bool MonitorCheck::callbacks_declare_all() const {
  return std::all_of(
      trainer_.callbacks().begin(), trainer_.callbacks().end(),
      [](const auto& handle) { return logs_only_declared_metrics(*handle.callback); });
}

void MonitorCheck::before_training() {
  if (!active_) return;
  if (monitors_without({}).empty()) {
    active_ = false;
    return;
  }
  MetricNames of_module;
  if (const auto* source = dynamic_cast<const MetricSource*>(&trainer_.module())) {
    of_module = source->metric_names(trainer_);
  }
  // A fast_dev_run checks no metric, and without validation checkpoints do without one.
  bool all_known = !of_module.empty() && callbacks_declare_all() &&
                   trainer_.options().fast_dev_run == 0 && trainer_.validation_enabled();
  for (const CallbackHandle& handle : trainer_.callbacks()) {
    if (const auto* source = dynamic_cast<const MetricSource*>(handle.callback.get())) {
      const MetricNames names = source->metric_names(trainer_);
      all_known = all_known && !names.empty();
      append(declared_, names);
    }
  }
  MetricNames known = known_names();
  append(known, declared_);
  if (of_module.empty() && !validated_) return;
  append(known, of_module);
  for (const Monitor& monitor : monitors_without(known)) {
    const std::string typo = typo_of(monitor.metric, known);
    if (typo.empty() && (of_module.empty() || !monitor.required)) continue;
    if (of_module.empty()) {
      log_warning(
          "{} monitors {}, which the sanity check did not log; did you mean {}? Unless the "
          "training "
          "logs it, it will be missing",
          monitor.who, quote(monitor.metric), quote(typo));
      continue;
    }
    const std::string meant = nearest(monitor.metric, known).value_or("");
    const std::string found = fmt::format(
        "{} monitors {}, which is not among the metrics that {} logs in this fit ({}){}",
        monitor.who, quote(monitor.metric), trainer_.module().type_name(),
        join_quoted(of_module, "and"),
        meant.empty() ? "." : fmt::format("; did you mean {}?", quote(meant)));
    if (monitor.fails_run && all_known && !typo.empty()) {
      throw MetricError(found + " No callback logs it either", monitor.metric, known);
    }
    log_warning("{} Unless a callback logs it, it will be missing", found);
  }
}

void MonitorCheck::after_epoch() {
  if (!active_) return;
  if (trainer_.validation_enabled() && !validated_) return;
  active_ = false;
  const MetricNames logged = known_names();
  MetricNames known = logged;
  append(known, declared_);
  for (const Monitor& monitor : monitors_without(known)) {
    if (!monitor.required && typo_of(monitor.metric, known).empty()) continue;
    if (!first_report_of_missing(monitor.who, monitor.metric)) continue;
    const std::string meant = nearest(monitor.metric, known).value_or("");
    log_warning("{} monitors {}, which nothing has logged so far{} (there is {})", monitor.who,
                quote(monitor.metric),
                meant.empty() ? "" : fmt::format("; did you mean {}?", quote(meant)),
                logged.empty() ? "nothing else either" : join_quoted(logged, "and"));
  }
}

}  // namespace grapnel
