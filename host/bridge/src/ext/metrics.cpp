// Extension metrics: the trainer's own log() and the metrics that monitors see.
#include <grapnel/ext/metrics.h>

#include <fmt/format.h>

#include <cstddef>
#include <string>

#include <grapnel/base/text.h>
#include <grapnel/copy_on_write.h>
#include <grapnel/trainer.h>

#include "../instance_host.h"
#include "extensions.h"

namespace grapnel::bridge {
namespace {

constexpr std::uint32_t kKnownFlags = GRAPNEL_METRIC_ON_STEP | GRAPNEL_METRIC_ON_EPOCH |
                                      GRAPNEL_METRIC_PROG_BAR | GRAPNEL_METRIC_NO_LOGGER;

LogOptions log_options(const grapnel_metric_options* given) {
  LogOptions options;
  if (given == nullptr) return options;
  const auto has = [given](std::size_t end) { return given->struct_size >= end; };
  if (!has(GRAPNEL_END_OF(grapnel_metric_options, flags))) {
    throw ContractBreach{fmt::format("metric options of {} bytes", given->struct_size)};
  }
  const std::uint32_t flags = given->flags;
  if (const std::uint32_t unknown = flags & ~kKnownFlags & GRAPNEL_FLAGS_TO_UNDERSTAND) {
    throw NotSupported{fmt::format("there are no metric flags {:#x}", unknown)};
  }
  if ((flags & (GRAPNEL_METRIC_ON_STEP | GRAPNEL_METRIC_ON_EPOCH)) != 0) {
    options.on_step = (flags & GRAPNEL_METRIC_ON_STEP) != 0;
    options.on_epoch = (flags & GRAPNEL_METRIC_ON_EPOCH) != 0;
  }
  options.prog_bar = (flags & GRAPNEL_METRIC_PROG_BAR) != 0;
  options.logger = (flags & GRAPNEL_METRIC_NO_LOGGER) == 0;
  if (has(GRAPNEL_END_OF(grapnel_metric_options, batch_size)) && given->batch_size != 0) {
    if (given->batch_size < 0) {
      throw ContractBreach{fmt::format("a batch size of {}", given->batch_size)};
    }
    options.batch_size = given->batch_size;
  }
  return options;
}

std::int32_t log(InstanceHost& self, grapnel_string name, const LogValue& value,
                 const grapnel_metric_options* options) {
  const std::string_view text = checked_text(name, "metric's name");
  if (text.empty()) throw ContractBreach{"a metric's name is empty"};
  Event* event = self.call()->event;
  if (event == nullptr) return GRAPNEL_NOT_NOW;
  self.log_metric(*event, std::string(text), value, log_options(options));
  return GRAPNEL_OK;
}

std::int32_t GRAPNEL_CALL log_f64(const grapnel_host* host, grapnel_string name, double value,
                                  const grapnel_metric_options* options) noexcept {
  return service(host, "metrics.log_f64",
                 [&](InstanceHost& self) { return log(self, name, LogValue(value), options); });
}

std::int32_t GRAPNEL_CALL log_tensor(const grapnel_host* host, grapnel_string name,
                                     const grapnel_tensor* tensor,
                                     const grapnel_metric_options* options) noexcept {
  return service(host, "metrics.log_tensor", [&](InstanceHost& self) {
    const at::Tensor& value = checked_tensor(self, tensor).tensor;
    if (value.numel() != 1 || !value.is_floating_point()) {
      throw ContractBreach{"a metric is not a floating-point tensor with one element"};
    }
    if (const std::string fault = storage_fault(value, /*dense=*/false); !fault.empty()) {
      throw ContractBreach{"a metric's tensor " + fault};
    }
    // Its number is fetched later: what the plugin writes to the tensor until then isn't meant.
    return log(self, name, LogValue(detached_copy(with_memory(value)).tensor), options);
  });
}

std::int32_t GRAPNEL_CALL get(const grapnel_host* host, grapnel_string name, double* value,
                              std::int64_t* global_step) noexcept {
  return service(host, "metrics.get", [&](InstanceHost& self) {
    check_output(value);
    check_output(global_step);
    const std::string_view text = checked_text(name, "metric's name");
    if (self.trainer() == nullptr) return GRAPNEL_NOT_NOW;
    const MetricDict::Entry* entry = self.trainer()->callback_metrics().find(text);
    if (entry == nullptr) return GRAPNEL_NOT_FOUND;
    *value = entry->value.number();
    *global_step = entry->global_step;
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL count(const grapnel_host* host, std::uint64_t* result) noexcept {
  return service(host, "metrics.count", [&](InstanceHost& self) {
    check_output(result);
    if (self.trainer() == nullptr) return GRAPNEL_NOT_NOW;
    *result = self.trainer()->callback_metrics().size();
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL name(const grapnel_host* host, std::uint64_t index,
                               grapnel_string* result) noexcept {
  return service(host, "metrics.name", [&](InstanceHost& self) {
    check_output(result);
    if (self.trainer() == nullptr) return GRAPNEL_NOT_NOW;
    const MetricDict& metrics = self.trainer()->callback_metrics();
    if (index >= metrics.size()) return GRAPNEL_NOT_FOUND;
    *result = self.keep_text(metrics.begin()[static_cast<std::ptrdiff_t>(index)].name);
    return GRAPNEL_OK;
  });
}

}  // namespace

const grapnel_metrics kMetrics = {
    sizeof(grapnel_metrics), 0, &log_f64, &log_tensor, &get, &count, &name};

}  // namespace grapnel::bridge
