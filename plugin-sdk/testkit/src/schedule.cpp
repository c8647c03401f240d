#include <cmath>

#include "services.h"

namespace grapnel::testkit {
namespace {

double base_rate(const RecordingHost& self, std::uint64_t optimizer, std::uint64_t group) {
  const auto& options = self.optimizers[optimizer].groups[group];
  const auto found = options.find("lr");
  return found == options.end() ? 0 : found->second;
}
bool has_group(const RecordingHost& self, std::uint64_t optimizer, std::uint64_t group) {
  return optimizer < self.optimizers.size() && group < self.optimizers[optimizer].groups.size();
}
double factor_of(const RecordingHost& self, std::uint64_t optimizer, std::uint64_t group) {
  const auto o = static_cast<std::int64_t>(optimizer);
  const auto g = static_cast<std::int64_t>(group);
  for (const auto& key : {std::pair(o, g), std::pair(o, std::int64_t{-1}),
                          std::pair(std::int64_t{-1}, std::int64_t{-1})}) {
    if (const auto found = self.rate_factors.find(key); found != self.rate_factors.end()) {
      return found->second;
    }
  }
  return 1;
}
std::int32_t set_factor(const grapnel_host* host, std::int64_t optimizer, std::int64_t group,
                        double factor) {
  RecordingHost& self = RecordingHost::of(host);
  if (!std::isfinite(factor) || factor < 0) return GRAPNEL_INVALID_ARGUMENT;
  if (optimizer == GRAPNEL_SCHEDULE_ALL && group != GRAPNEL_SCHEDULE_ALL) {
    return GRAPNEL_INVALID_ARGUMENT;
  }
  if (optimizer != GRAPNEL_SCHEDULE_ALL &&
      !has_group(self, static_cast<std::uint64_t>(optimizer),
                 group == GRAPNEL_SCHEDULE_ALL ? 0 : static_cast<std::uint64_t>(group))) {
    return GRAPNEL_NOT_FOUND;
  }
  for (auto each = self.rate_factors.begin(); each != self.rate_factors.end();) {
    const bool replaced = (optimizer == GRAPNEL_SCHEDULE_ALL || each->first.first == optimizer) &&
                          (group == GRAPNEL_SCHEDULE_ALL || each->first.second == group);
    each = replaced ? self.rate_factors.erase(each) : std::next(each);
  }
  self.rate_factors[{optimizer, group}] = factor;
  return GRAPNEL_OK;
}
std::int32_t get_factor(const grapnel_host* host, std::uint64_t optimizer, std::uint64_t group,
                        double* factor) {
  const RecordingHost& self = RecordingHost::of(host);
  if (!has_group(self, optimizer, group)) return GRAPNEL_NOT_FOUND;
  *factor = factor_of(self, optimizer, group);
  return GRAPNEL_OK;
}
std::int32_t rate(const grapnel_host* host, std::uint64_t optimizer, std::uint64_t group,
                  double* value) {
  const RecordingHost& self = RecordingHost::of(host);
  if (!has_group(self, optimizer, group)) return GRAPNEL_NOT_FOUND;
  *value = base_rate(self, optimizer, group) * factor_of(self, optimizer, group);
  return GRAPNEL_OK;
}
const grapnel_schedule schedule_functions = {
    sizeof(grapnel_schedule), 0, service<set_factor>("schedule.set_factor"),
    service<get_factor>("schedule.get_factor"), service<rate>("schedule.rate")};

}  // namespace

const void* schedule_table() {
  return &schedule_functions;
}

}  // namespace grapnel::testkit
