#include "services.h"

namespace grapnel::testkit {
namespace {

std::int32_t log_f64(const grapnel_host* host, grapnel_string name, double value,
                     const grapnel_metric_options* options) {
  if (name.size == 0) return GRAPNEL_INVALID_ARGUMENT;
  RecordingHost& self = RecordingHost::of(host);
  if (self.failing.count("log") != 0) return self.pending = true, GRAPNEL_PENDING;
  self.metrics.push_back({text(name), value, options != nullptr ? options->flags : 0,
                          options != nullptr ? options->batch_size : 0});
  return GRAPNEL_OK;
}
std::int32_t log_tensor(const grapnel_host* host, grapnel_string name, const grapnel_tensor* tensor,
                        const grapnel_metric_options* options) {
  if (tensor == nullptr) return GRAPNEL_INVALID_ARGUMENT;
  const auto& value = *RecordingHost::tensor(const_cast<grapnel_tensor*>(tensor));
  if (value.values.size() != 1) return GRAPNEL_INVALID_ARGUMENT;
  return log_f64(host, name, value.values[0], options);
}
std::int32_t get_metric(const grapnel_host* host, grapnel_string name, double* value,
                        std::int64_t* global_step) {
  const auto& metrics = RecordingHost::of(host).metrics;
  for (auto metric = metrics.rbegin(); metric != metrics.rend(); ++metric) {
    if (metric->name != text(name)) continue;
    *value = metric->value;
    *global_step = RecordingHost::of(host).trainer.global_step;
    return GRAPNEL_OK;
  }
  const auto& logged = RecordingHost::of(host).module_metrics;
  const auto found = logged.find(text(name));
  if (found == logged.end()) return GRAPNEL_NOT_FOUND;
  *value = found->second;
  *global_step = RecordingHost::of(host).trainer.global_step;
  return GRAPNEL_OK;
}
std::int32_t count_metrics(const grapnel_host* host, std::uint64_t* count) {
  *count = RecordingHost::of(host).metrics.size() + RecordingHost::of(host).module_metrics.size();
  return GRAPNEL_OK;
}
std::int32_t metric_name(const grapnel_host* host, std::uint64_t index, grapnel_string* name) {
  const auto& metrics = RecordingHost::of(host).metrics;
  const auto& of_module = RecordingHost::of(host).module_metrics;
  if (index >= metrics.size() + of_module.size()) return GRAPNEL_NOT_FOUND;
  *name =
      to_abi(index < metrics.size()
                 ? metrics[index].name
                 : std::next(of_module.begin(), static_cast<std::ptrdiff_t>(index - metrics.size()))
                       ->first);
  return GRAPNEL_OK;
}
const grapnel_metrics metrics_functions = {sizeof(grapnel_metrics),
                                           0,
                                           service<log_f64>("metrics.log_f64"),
                                           service<log_tensor>("metrics.log_tensor"),
                                           service<get_metric>("metrics.get"),
                                           service<count_metrics>("metrics.count"),
                                           service<metric_name>("metrics.name")};

}  // namespace

const void* metrics_table() {
  return &metrics_functions;
}

}  // namespace grapnel::testkit
