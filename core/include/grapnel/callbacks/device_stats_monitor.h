// Logs how busy the devices are, at the start and the end of each batch that is logged
// (log_every_n_steps) in training, validation and test.
//
// After Lightning's class of that name. Names:
// "DeviceStatsMonitor.on_train_batch_start/cpu_percent", with the logger's own separator; the step
// is the number of batches that an optimizer stepped after, in evaluations too. Of the CPU, on
// Linux: cpu_percent (since the reading before), cpu_vm_percent and cpu_swap_percent, as psutil has
// them. Of an accelerator: the counts of LibTorch's caching allocator under the names of
// torch.cuda.memory_stats and, of NVIDIA's, "nvml.gpu_percent" and its like from the driver. It
// keeps no state.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grapnel/base/options_table.h"
#include "grapnel/callback.h"
#include "grapnel/export.h"
#include "grapnel/logger.h"

namespace grapnel {

struct DeviceStatsMonitorOptions {
  // Of the CPU: unset when the training runs on it, true always, false never.
  std::optional<bool> cpu_stats = {};
  std::optional<std::vector<std::string>> filter_keys =
      {};  // only these ("cpu_percent"); unset: all
  // Where the CPU's numbers come from; unset: the system.
  std::function<Logger::Metrics()> cpu_source = {};
};

class GRAPNEL_CORE_API DeviceStatsMonitor : public Callback {
 public:
  explicit DeviceStatsMonitor(DeviceStatsMonitorOptions options = {});
  ~DeviceStatsMonitor() override;

  static const OptionsTable<DeviceStatsMonitorOptions>& options_table();

  // Throws ConfigError before a fit without a logger, or when the CPU's numbers are wanted and the
  // system doesn't provide them. Warns of filter_keys that match nothing.
  void setup(StageEvent& event) override;
  void on_train_batch_start(TrainBatchStart& event) override;
  void on_train_batch_end(TrainBatchEnd& event) override;
  void on_validation_batch_start(EvalBatchStart& event) override;
  void on_validation_batch_end(EvalBatchEnd& event) override;
  void on_test_batch_start(EvalBatchStart& event) override;
  void on_test_batch_end(EvalBatchEnd& event) override;

 private:
  struct Meters;
  // Without the names that are filtered out.
  Logger::Metrics read(const Trainer& trainer);
  Logger::Metrics read_all(const Trainer& trainer);
  void log_stats(Trainer& trainer, std::string_view hook);

  DeviceStatsMonitorOptions options_;
  std::unique_ptr<Meters> meters_;
};

}  // namespace grapnel
