#include "grapnel/metric_dict.h"

#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"

namespace grapnel {

const MetricDict::Entry* MetricDict::find(std::string_view name) const {
  for (const Entry& entry : entries_) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

double MetricDict::at(std::string_view name) const {
  if (const Entry* entry = find(name)) return entry->value.number();
  const auto available = names();
  const auto near = nearest(name, available);
  throw MetricError(fmt::format("nothing has logged '{}'{}; available: {}", name,
                                near.has_value() ? fmt::format(" (did you mean '{}'?)", *near) : "",
                                available.empty() ? "nothing" : join(available, ", ")),
                    std::string(name), available);
}

void MetricDict::set(std::string_view name, DeviceScalar value, int64_t global_step) {
  for (Entry& entry : entries_) {
    if (entry.name != name) continue;
    entry.value = std::move(value);
    entry.global_step = global_step;
    return;
  }
  entries_.push_back({std::string(name), std::move(value), global_step});
}

void MetricDict::update(const MetricDict& other) {
  for (const Entry& entry : other) set(entry.name, entry.value, entry.global_step);
}

bool MetricDict::erase(std::string_view name) {
  return std::erase_if(entries_, [&](const Entry& entry) { return entry.name == name; }) > 0;
}

std::vector<std::string> MetricDict::names() const {
  std::vector<std::string> names;
  names.reserve(entries_.size());
  for (const Entry& entry : entries_) names.push_back(entry.name);
  return names;
}

}  // namespace grapnel
