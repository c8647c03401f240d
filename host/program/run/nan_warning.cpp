#include "nan_warning.h"

#include <ATen/ops/isfinite.h>

#include <cmath>
#include <string>

#include <grapnel/base/log.h>
#include <grapnel/base/text.h>

namespace grapnel::program {
namespace {

// Empty: all numbers are fine.
std::string first_nan(const MetricDict& metrics, const StateView& state) {
  for (const MetricDict::Entry& entry : metrics) {
    if (std::isnan(entry.value.number())) return "the metric " + quote(entry.name) + " is nan";
  }
  for (const StateEntry& entry : state.entries()) {
    if (!entry.is_parameter || !entry.tensor.is_floating_point()) continue;
    if (at::isfinite(entry.tensor.detach()).all().item().toBool()) continue;
    return "the parameter " + quote(entry.name) + " has numbers that are not finite";
  }
  return {};
}

}  // namespace

void warn_of_nan(const MetricDict& metrics, const StateView& state) {
  const std::string found = first_nan(metrics, state);
  if (found.empty()) return;
  log_warning(
      "the training ended with numbers that are not finite: {}. A lower learning rate may help; the plugin "
      "nan_guard stops a training at the first one: grapnel fit --plugin nan_guard",
      found);
}

}  // namespace grapnel::program
