#include "extensions.h"

namespace grapnel::bridge {
namespace {

struct Extension {
  std::string_view id;
  const void* table;
};

// What the plugin's side of these needs to know is that the host calls it.
constexpr grapnel_event_support kEventSupport = {sizeof(grapnel_event_support), 0};
constexpr grapnel_state_support kStateSupport = {sizeof(grapnel_state_support), 0};

constexpr grapnel_metrics_sink_support kMetricsSinkSupport = {sizeof(grapnel_metrics_sink_support),
                                                              0};

constexpr Extension kExtensions[] = {
    {GRAPNEL_EXT_ATEN, &kAten},          {GRAPNEL_EXT_AUTOGRAD, &kAutograd},
    {GRAPNEL_EXT_BATCH, &kBatches},      {GRAPNEL_EXT_CHECKPOINT, &kCheckpoint},
    {GRAPNEL_EXT_DEVICE, &kDevice},      {GRAPNEL_EXT_DISTRIBUTED, &kDistributed},
    {GRAPNEL_EXT_EVENT, &kEventSupport}, {GRAPNEL_EXT_LOG, &kLog},
    {GRAPNEL_EXT_METRICS, &kMetrics},    {GRAPNEL_EXT_METRICS_SINK, &kMetricsSinkSupport},
    {GRAPNEL_EXT_MODULE, &kModule},      {GRAPNEL_EXT_OPTIMIZERS, &kOptimizers},
    {GRAPNEL_EXT_OUTPUTS, &kOutputs},    {GRAPNEL_EXT_PARAMS, &kParams},
    {GRAPNEL_EXT_PLUGIN, &kPlugin},      {GRAPNEL_EXT_REQUEST, &kRequest},
    {GRAPNEL_EXT_SCHEDULE, &kSchedule},  {GRAPNEL_EXT_STATE, &kStateSupport},
    {GRAPNEL_EXT_TENSORS, &kTensors},    {GRAPNEL_EXT_TERMINAL, &kTerminal},
    {GRAPNEL_EXT_THREAD, &kThread},      {GRAPNEL_EXT_TIMING, &kTiming},
    {GRAPNEL_EXT_TRAINER, &kTrainer},
};

}  // namespace

const void* extension_table(std::string_view id) noexcept {
  for (const Extension& extension : kExtensions) {
    if (extension.id == id) return extension.table;
  }
  return nullptr;
}

std::vector<std::string_view> extension_ids() {
  std::vector<std::string_view> ids;
  for (const Extension& extension : kExtensions) ids.push_back(extension.id);
  return ids;
}

}  // namespace grapnel::bridge
