#include "grapnel/callbacks/device_stats_monitor.h"

#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/trainer.h"
#include "run/run.h"
#include "stats/device_stats.h"
#include "stats/host_stats.h"
#include "stats/nvml.h"

namespace grapnel {

struct DeviceStatsMonitor::Meters {
  HostMeter host;
  std::optional<Nvml> nvml;  // loaded with the first CUDA device
};

DeviceStatsMonitor::DeviceStatsMonitor(DeviceStatsMonitorOptions options)
    : options_(std::move(options)), meters_(std::make_unique<Meters>()) {
  if (options_.cpu_source) return;
  options_.cpu_source = [this]() -> Logger::Metrics {
    const auto stats = meters_->host.read();
    if (!stats.has_value()) {
      throw ConfigError(
          {},
          "DeviceStatsMonitor can't tell how busy the CPU is on this system (it reads "
          "Linux's /proc); set cpu_stats=false, or give a cpu_source",
          "cpu_stats");
    }
    return {{"cpu_vm_percent", stats->vm_percent},
            {"cpu_percent", stats->cpu_percent},
            {"cpu_swap_percent", stats->swap_percent}};
  };
}

DeviceStatsMonitor::~DeviceStatsMonitor() = default;

const OptionsTable<DeviceStatsMonitorOptions>& DeviceStatsMonitor::options_table() {
  using O = DeviceStatsMonitorOptions;
  static const OptionsTable<O> table(
      "device_stats_monitor",
      "Logs how busy the CPU and the accelerator are at every logged batch.",
      {option("cpu_stats", &O::cpu_stats)
           .doc("Log the CPU's numbers; null: when the training runs on the CPU."),
       option("filter_keys", &O::filter_keys)
           .doc("Log these alone (\"cpu_percent\"); null: all.")});
  return table;
}

void DeviceStatsMonitor::setup(StageEvent& event) {
  if (event.run != RunKind::fit) return;
  if (event.trainer.loggers().empty()) {
    throw ConfigError(
        {},
        "DeviceStatsMonitor has nowhere to log to: the trainer has no logger; add one, "
        "or leave DeviceStatsMonitor out");
  }
  const Logger::Metrics available = read_all(event.trainer);
  if (!options_.filter_keys.has_value()) return;
  std::vector<std::string> names;
  for (const auto& [name, value] : available) names.push_back(name);
  for (const std::string& key : *options_.filter_keys) {
    if (std::find(names.begin(), names.end(), key) != names.end()) continue;
    log_warning("DeviceStatsMonitor: this device has no statistic {}{}; its statistics are {}",
                quote(key), did_you_mean(key, names), names.empty() ? "none" : join(names));
  }
}

Logger::Metrics DeviceStatsMonitor::read_all(const Trainer& trainer) {
  const at::Device& device = trainer.device();
  Logger::Metrics metrics = allocator_stats(device);
  if (device.is_cuda()) {
    if (!meters_->nvml.has_value()) meters_->nvml.emplace();
    const int64_t index = device.has_index() ? device.index() : 0;
    for (auto& metric : meters_->nvml->stats(index)) metrics.push_back(std::move(metric));
  }
  if (options_.cpu_stats.value_or(device.is_cpu())) {
    for (auto& metric : options_.cpu_source()) metrics.push_back(std::move(metric));
  }
  return metrics;
}

Logger::Metrics DeviceStatsMonitor::read(const Trainer& trainer) {
  Logger::Metrics metrics = read_all(trainer);
  if (options_.filter_keys.has_value()) {
    const auto& kept = *options_.filter_keys;
    std::erase_if(metrics, [&](const auto& metric) {
      return std::find(kept.begin(), kept.end(), metric.first) == kept.end();
    });
  }
  return metrics;
}

void DeviceStatsMonitor::log_stats(Trainer& trainer, std::string_view hook) {
  if (trainer.loggers().empty() || !trainer.is_logging_step()) return;
  const Logger::Metrics metrics = read(trainer);
  if (metrics.empty()) return;
  const int64_t step = trainer.state().batches_that_stepped;
  Run::of(trainer).loggers.each(step, [&](Logger& logger) {
    Logger::Metrics named;
    for (const auto& [name, value] : metrics) {
      named.emplace_back(
          fmt::format("{}.{}{}{}", type_name(), hook, logger.group_separator(), name), value);
    }
    logger.log_metrics(named, step);
  });
}

void DeviceStatsMonitor::on_train_batch_start(TrainBatchStart& event) {
  log_stats(event.trainer, "on_train_batch_start");
}
void DeviceStatsMonitor::on_train_batch_end(TrainBatchEnd& event) {
  log_stats(event.trainer, "on_train_batch_end");
}
void DeviceStatsMonitor::on_validation_batch_start(EvalBatchStart& event) {
  log_stats(event.trainer, "on_validation_batch_start");
}
void DeviceStatsMonitor::on_validation_batch_end(EvalBatchEnd& event) {
  log_stats(event.trainer, "on_validation_batch_end");
}
void DeviceStatsMonitor::on_test_batch_start(EvalBatchStart& event) {
  log_stats(event.trainer, "on_test_batch_start");
}
void DeviceStatsMonitor::on_test_batch_end(EvalBatchEnd& event) {
  log_stats(event.trainer, "on_test_batch_end");
}

}  // namespace grapnel
