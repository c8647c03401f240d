#include "metrics/metric_store.h"

#include <fmt/format.h>

#include <limits>

#include "grapnel/base/error.h"

namespace grapnel {

void MetricStore::Metric::restart() {
  now.has_reset = true;
  now.has_step_value = false;
  now.weight = 0;
  const double infinity = std::numeric_limits<double>::infinity();
  now.accumulated = reduce == Reduce::max ? -infinity : reduce == Reduce::min ? infinity : 0.0;
}

std::optional<DeviceScalar> MetricStore::Metric::value(bool step) const {
  if (step) return on_step && now.has_step_value ? std::optional(now.step_value) : std::nullopt;
  if (!on_epoch) return std::nullopt;
  if (reduce == Reduce::mean) return now.accumulated / now.weight;
  return now.accumulated;
}

std::string MetricStore::Metric::suffix() const {
  if (!add_dataloader_idx || !dataloader_idx.has_value()) return {};
  return fmt::format("/dataloader_idx_{}", *dataloader_idx);
}

MetricStore::Metric* MetricStore::find(std::string_view function, std::string_view name,
                                       std::optional<int64_t> loader) {
  for (size_t tried = 0; tried < metrics_.size(); ++tried) {
    last_ = (last_ + 1) % metrics_.size();
    Metric& metric = metrics_[last_];
    if (metric.name == name && metric.function == function && metric.key_dataloader == loader) {
      return &metric;
    }
  }
  return nullptr;
}

// Before the first change of the values since the mark.
void MetricStore::keep(Metric& metric) const {
  if (metric.changed_at == mark_) return;
  metric.changed_at = mark_;
  metric.before = metric.now;
}

void MetricStore::log(const LogRecord& record) {
  const LogOptions& options = record.options;
  const auto key_loader = options.add_dataloader_idx ? record.dataloader_idx : std::nullopt;
  Metric* metric = find(record.function, record.name, key_loader);
  if (metric == nullptr) {
    last_ = metrics_.size();
    metric = &metrics_.emplace_back(Metric{.is_place = true});
  }
  if (metric->is_place) {
    *metric = {.function = std::string(record.function),
               .name = std::string(record.name),
               .on_step = record.on_step,
               .on_epoch = record.on_epoch,
               .prog_bar = options.prog_bar,
               .logger = options.logger,
               .reduce = options.reduce,
               .add_dataloader_idx = options.add_dataloader_idx,
               .dataloader_idx = record.dataloader_idx,
               .key_dataloader = key_loader};
    metric->restart();
  } else if (metric->on_step != record.on_step || metric->on_epoch != record.on_epoch ||
             metric->prog_bar != options.prog_bar || metric->logger != options.logger ||
             metric->reduce != options.reduce ||
             metric->add_dataloader_idx != options.add_dataloader_idx ||
             metric->dataloader_idx != record.dataloader_idx) {
    throw ConfigError(
        {}, fmt::format("log('{0}', ...) was called twice in {1} with different arguments; log it "
                        "with the same options every time, or under another name",
                        record.name, record.function));
  }

  keep(*metric);
  metric->now.has_reset = false;
  metric->now.global_step = record.global_step;
  if (record.on_step) {
    metric->now.step_value = record.value;
    metric->now.has_step_value = true;
    if (!record.on_epoch) return;
  }
  switch (options.reduce) {
    case Reduce::mean: {
      const auto weight = static_cast<double>(record.batch_size);
      metric->now.accumulated = metric->now.accumulated.plus(record.value, weight);
      metric->now.weight += weight;
      break;
    }
    case Reduce::sum:
      metric->now.accumulated = metric->now.accumulated + record.value;
      break;
    case Reduce::max:
      metric->now.accumulated = DeviceScalar::max(metric->now.accumulated, record.value);
      break;
    case Reduce::min:
      metric->now.accumulated = DeviceScalar::min(metric->now.accumulated, record.value);
      break;
  }
}

void MetricStore::reset(std::string_view function) {
  for (Metric& metric : metrics_) {
    if (metric.function != function) continue;
    keep(metric);
    metric.restart();
  }
}

void MetricStore::reset() {
  for (Metric& metric : metrics_) {
    keep(metric);
    metric.restart();
  }
}

std::vector<std::string> MetricStore::monitored_names() const {
  std::vector<std::string> names;
  for (const Metric& metric : metrics_) {
    if (metric.is_place || (!training_ && !metric.on_epoch)) continue;
    const std::string suffix = metric.suffix();
    names.push_back(metric.name + suffix);
    if (!metric.on_step || !metric.on_epoch) continue;
    names.push_back(metric.name + "_epoch" + suffix);
    if (training_) names.push_back(metric.name + "_step" + suffix);
  }
  return names;
}

void MetricStore::collect(bool on_step, MetricViews& views) const {
  for (const Metric& metric : metrics_) {
    if (metric.now.has_reset || metric.dataloader_idx != dataloader_idx_) continue;
    const std::optional<DeviceScalar> value = metric.value(on_step);
    if (!value.has_value()) continue;

    const std::string suffix = metric.suffix();
    const bool forked = metric.on_step && metric.on_epoch;
    const std::string name = metric.name + suffix;
    const std::string reported =
        forked ? metric.name + (on_step ? "_step" : "_epoch") + suffix : name;

    if (metric.logger) views.log.set(reported, *value, metric.now.global_step);
    if (training_ || (metric.on_epoch && !on_step)) {
      views.callback.set(name, *value, metric.now.global_step);
      views.callback.set(reported, *value, metric.now.global_step);
    }
    if (metric.prog_bar) views.progress_bar.set(reported, *value, metric.now.global_step);
  }
}

}  // namespace grapnel
