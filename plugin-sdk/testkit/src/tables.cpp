// All extension tables of the recording host, and how they look in hosts of other minors.
#include <algorithm>
#include <cstring>
#include <memory>

#include "services.h"

namespace grapnel::testkit {
namespace {

// The host's sides of extensions that plugins implement: that it uses them.
const grapnel_state_support state_support = {sizeof state_support, 0};
const grapnel_metrics_sink_support sink_support = {sizeof sink_support, 0};
const grapnel_event_support event_support = {sizeof event_support, 0};

struct OldTable {
  std::string_view id;
  std::uint32_t size;
};
// What hosts of the lowest minor have, GRAPNEL_ABI_LOWEST_MINOR 4; released sizes never change.
constexpr OldTable of_lowest_minor[] = {
    {GRAPNEL_EXT_ATEN, 40},       {GRAPNEL_EXT_BATCH, 48},   {GRAPNEL_EXT_EVENT, 8},
    {GRAPNEL_EXT_LOG, 24},        {GRAPNEL_EXT_METRICS, 48}, {GRAPNEL_EXT_MODULE, 72},
    {GRAPNEL_EXT_OPTIMIZERS, 72}, {GRAPNEL_EXT_OUTPUTS, 48}, {GRAPNEL_EXT_PARAMS, 80},
    {GRAPNEL_EXT_PLUGIN, 24},     {GRAPNEL_EXT_REQUEST, 16}, {GRAPNEL_EXT_STATE, 8},
    {GRAPNEL_EXT_TENSORS, 72},    {GRAPNEL_EXT_TRAINER, 16}};

// Kept for the life of the process, as tables are.
const void* resized(const void* table, std::uint32_t size) {
  static std::map<std::pair<const void*, std::uint32_t>, std::vector<std::uint64_t>> kept;
  auto& copy = kept[{table, size}];
  if (!copy.empty()) return copy.data();
  const std::uint32_t own = *static_cast<const std::uint32_t*>(table);
  copy.assign((std::max(size, own) + 7) / 8, ~std::uint64_t{0});  // what no plugin may look at
  std::memcpy(copy.data(), table, std::min(size, own));
  std::memcpy(copy.data(), &size, sizeof size);
  return copy.data();
}

}  // namespace

const void* service_table(std::string_view id) {
  if (id == GRAPNEL_EXT_PLUGIN) return plugin_table();
  if (id == GRAPNEL_EXT_PARAMS) return params_table();
  if (id == GRAPNEL_EXT_LOG) return log_table();
  if (id == GRAPNEL_EXT_REQUEST) return request_table();
  if (id == GRAPNEL_EXT_METRICS) return metrics_table();
  if (id == GRAPNEL_EXT_TRAINER) return trainer_table();
  if (id == GRAPNEL_EXT_TENSORS) return tensors_table();
  if (id == GRAPNEL_EXT_ATEN) return aten_table();
  if (id == GRAPNEL_EXT_SCHEDULE) return schedule_table();
  if (id == GRAPNEL_EXT_AUTOGRAD) return autograd_table();
  if (id == GRAPNEL_EXT_THREAD) return thread_table();
  if (id == GRAPNEL_EXT_CHECKPOINT) return checkpoint_table();
  if (id == GRAPNEL_EXT_TERMINAL) return terminal_table();
  if (id == GRAPNEL_EXT_DEVICE) return device_table();
  if (id == GRAPNEL_EXT_TIMING) return timing_table();
  if (id == GRAPNEL_EXT_DISTRIBUTED) return distributed_table();
  if (id == GRAPNEL_EXT_METRICS_SINK) return &sink_support;
  if (id == GRAPNEL_EXT_STATE) return &state_support;
  if (id == GRAPNEL_EXT_EVENT) return &event_support;
  return model_table(id);
}

const void* shaped_table(std::string_view id, const void* table, HostShape shape) {
  if (table == nullptr || shape == HostShape::current) return table;
  if (shape == HostShape::grown)
    return resized(table, *static_cast<const std::uint32_t*>(table) + 32);
  for (const OldTable& old : of_lowest_minor) {
    if (old.id == id) return resized(table, old.size);
  }
  return nullptr;
}

}  // namespace grapnel::testkit
