#include "grapnel/callbacks/registry.h"

#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/callbacks/activation_monitor.h"
#include "grapnel/callbacks/backbone_finetuning.h"
#include "grapnel/callbacks/batch_size_finder.h"
#include "grapnel/callbacks/device_stats_monitor.h"
#include "grapnel/callbacks/early_stopping.h"
#include "grapnel/callbacks/ema_weight_averaging.h"
#include "grapnel/callbacks/gradient_accumulation_scheduler.h"
#include "grapnel/callbacks/learning_rate_finder.h"
#include "grapnel/callbacks/learning_rate_monitor.h"
#include "grapnel/callbacks/model_checkpoint.h"
#include "grapnel/callbacks/model_pruning.h"
#include "grapnel/callbacks/model_summary.h"
#include "grapnel/callbacks/on_exception_checkpoint.h"
#include "grapnel/callbacks/prediction_writer.h"
#include "grapnel/callbacks/rich_model_summary.h"
#include "grapnel/callbacks/rich_progress_bar.h"
#include "grapnel/callbacks/spike_detection.h"
#include "grapnel/callbacks/stochastic_weight_averaging.h"
#include "grapnel/callbacks/throughput_monitor.h"
#include "grapnel/callbacks/timer.h"
#include "grapnel/callbacks/tqdm_progress_bar.h"
#include "grapnel/callbacks/weight_averaging.h"
#include "registry/named_registry.h"

namespace grapnel {

namespace {

template <class T>
CallbackHandle make(const Parameters& parameters) {
  return std::make_shared<T>(T::options_table().read(parameters));
}

template <class T>
const ParameterTable& parameters_of() {
  return T::options_table().parameters();
}

template <class T>
constexpr CallbackEntry row(std::span<const std::string_view> former_names = {}) {
  return {&parameters_of<T>, &make<T>, &typeid(T), former_names};
}

// In Lightning 0.8 and earlier.
constexpr std::string_view kLearningRateMonitorOnce[] = {"learning_rate_logger", "lr_logger"};
// Lightning's bar before there were several; its base class has the name now.
constexpr std::string_view kTQDMProgressBarOnce[] = {"progress_bar"};

// In the order of the names.
// clang-format off
constexpr CallbackEntry kCallbacks[] = {
    row<ActivationMonitor>(),
    row<BackboneFinetuning>(),
    row<BatchSizeFinder>(),
    row<DeviceStatsMonitor>(),
    row<EarlyStopping>(),
    row<EMAWeightAveraging>(),
    row<GradientAccumulationScheduler>(),
    row<LearningRateFinder>(),
    row<LearningRateMonitor>(kLearningRateMonitorOnce),
    row<ModelCheckpoint>(),
    row<ModelPruning>(),
    row<ModelSummary>(),
    row<OnExceptionCheckpoint>(),
    row<PredictionWriter>(),
    row<RichModelSummary>(),
    row<RichProgressBar>(),
    row<SpikeDetection>(),
    row<StochasticWeightAveraging>(),
    row<ThroughputMonitor>(),
    row<Timer>(),
    row<TQDMProgressBar>(kTQDMProgressBarOnce),
    row<WeightAveraging>(),
};
// clang-format on

}  // namespace

std::span<const CallbackEntry> callback_registry() {
  return kCallbacks;
}

const CallbackEntry* find_callback_entry(std::string_view name) {
  return find_entry(callback_registry(), name);
}

const CallbackEntry* find_renamed_callback(std::string_view name) {
  const std::string wanted = folded_name(name);
  for (const CallbackEntry& entry : kCallbacks) {
    for (const std::string_view former : entry.former_names) {
      if (folded_name(former) == wanted) return &entry;
    }
  }
  return nullptr;
}

bool is_built_in(const Callback& callback) {
  for (const CallbackEntry& entry : kCallbacks) {
    if (typeid(callback) == *entry.type) return true;
  }
  return false;
}

CallbackHandle make_callback(std::string_view name, const ConfigValue& config,
                             std::string_view context) {
  std::string_view today = name;
  if (find_callback_entry(name) == nullptr) {
    if (const CallbackEntry* renamed = find_renamed_callback(name)) {
      today = renamed->name();
      log_info("the callback {} is called {} today; {} is taken as that", quote(name), quote(today),
               context);
    }
  }
  return make_entry(callback_registry(), "built-in callback", today, config, context);
}

}  // namespace grapnel
