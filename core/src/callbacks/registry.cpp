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
#include "named_registry.h"

namespace grapnel {

namespace {

template <class T>
CallbackHandle make(const Parameters& parameters) {
  return T::from(parameters);
}

template <class T>
constexpr CallbackEntry row() {
  return {&T::parameters, &make<T>};
}

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
    row<LearningRateMonitor>(),
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
    row<TQDMProgressBar>(),
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

CallbackHandle make_callback(std::string_view name, const ConfigValue& config,
                             std::string_view context) {
  return make_entry(callback_registry(), "built-in callback", name, config, context);
}

}  // namespace grapnel
