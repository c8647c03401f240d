#include "grapnel/callbacks/registry.h"

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

namespace grapnel {

namespace {

template <class T>
constexpr CallbackRegistry::Entry callback_row(
    std::span<const std::string_view> former_names = {}) {
  return {[]() -> const ParameterTable& { return T::options_table().parameters(); },
          [](const Parameters& parameters) -> CallbackHandle {
            return std::make_shared<T>(T::options_table().read(parameters));
          },
          &typeid(T), former_names};
}

// In Lightning 0.8 and earlier.
constexpr std::string_view kLearningRateMonitorOnce[] = {"learning_rate_logger", "lr_logger"};
// Lightning's bar before there were several; its base class has the name now.
constexpr std::string_view kTQDMProgressBarOnce[] = {"progress_bar"};

// In the order of the names.
// clang-format off
constexpr CallbackRegistry::Entry kCallbacks[] = {
    callback_row<ActivationMonitor>(),
    callback_row<BackboneFinetuning>(),
    callback_row<BatchSizeFinder>(),
    callback_row<DeviceStatsMonitor>(),
    callback_row<EarlyStopping>(),
    callback_row<EMAWeightAveraging>(),
    callback_row<GradientAccumulationScheduler>(),
    callback_row<LearningRateFinder>(),
    callback_row<LearningRateMonitor>(kLearningRateMonitorOnce),
    callback_row<ModelCheckpoint>(),
    callback_row<ModelPruning>(),
    callback_row<ModelSummary>(),
    callback_row<OnExceptionCheckpoint>(),
    callback_row<PredictionWriter>(),
    callback_row<RichModelSummary>(),
    callback_row<RichProgressBar>(),
    callback_row<SpikeDetection>(),
    callback_row<StochasticWeightAveraging>(),
    callback_row<ThroughputMonitor>(),
    callback_row<Timer>(),
    callback_row<TQDMProgressBar>(kTQDMProgressBarOnce),
    callback_row<WeightAveraging>(),
};
// clang-format on

}  // namespace

const CallbackRegistry& callback_registry() {
  static constexpr CallbackRegistry registry("built-in callback", kCallbacks,
                                             RegistryNames::by_class);
  return registry;
}

bool is_built_in(const Callback& callback) {
  for (const CallbackRegistry::Entry& entry : kCallbacks) {
    if (typeid(callback) == *entry.type) return true;
  }
  return false;
}

CallbackHandle make_callback(std::string_view name, const ConfigValue& config,
                             std::string_view context) {
  return callback_registry().make(name, config, context);
}

}  // namespace grapnel
