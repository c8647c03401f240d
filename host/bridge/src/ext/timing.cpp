// Extension timing: the phases that core measures for those that ask.
#include <grapnel/ext/timing.h>

#include <fmt/format.h>

#include <optional>

#include <grapnel/phase_times.h>
#include <grapnel/trainer.h>

#include "../instance_host.h"
#include "extensions.h"

namespace grapnel::bridge {
namespace {

static_assert(static_cast<int>(Phase::validation) == GRAPNEL_PHASE_VALIDATION &&
              static_cast<int>(Phase::data_wait) == GRAPNEL_PHASE_DATA_WAIT &&
              static_cast<int>(Phase::transfer) == GRAPNEL_PHASE_TRANSFER &&
              static_cast<int>(Phase::forward) == GRAPNEL_PHASE_FORWARD &&
              static_cast<int>(Phase::backward) == GRAPNEL_PHASE_BACKWARD &&
              static_cast<int>(Phase::optimizer) == GRAPNEL_PHASE_OPTIMIZER &&
              kPhaseCount == GRAPNEL_PHASE_VALIDATION + 1);

// Calls use(times) with those of the running fit.
template <class Use>
std::int32_t with_times(InstanceHost& self, Use&& use) {
  if (self.trainer() == nullptr) return GRAPNEL_NOT_NOW;
  self.trainer()->measure_phases();
  const std::optional<PhaseTimes> times = self.trainer()->phase_times();
  if (!times) return GRAPNEL_NOT_FOUND;
  use(*times);
  return GRAPNEL_OK;
}

std::int32_t GRAPNEL_CALL phase(const grapnel_host* host, std::int32_t phase,
                                double* seconds) noexcept {
  return service<NoTensors>(host, "timing.phase", [&](InstanceHost& self) {
    check_output(seconds);
    if (phase < GRAPNEL_PHASE_OTHER || phase > GRAPNEL_PHASE_VALIDATION) {
      throw NotSupported{fmt::format("there is no phase {}", phase)};
    }
    return with_times(
        self, [&](const PhaseTimes& times) { *seconds = times[static_cast<Phase>(phase)]; });
  });
}

std::int32_t GRAPNEL_CALL total(const grapnel_host* host, double* seconds,
                                double* in_hooks) noexcept {
  return service<NoTensors>(host, "timing.total", [&](InstanceHost& self) {
    check_output(seconds);
    check_output(in_hooks);
    return with_times(self, [&](const PhaseTimes& times) {
      *seconds = times.total_seconds;
      *in_hooks = times.hook_seconds;
    });
  });
}

std::int32_t GRAPNEL_CALL count(const grapnel_host* host, std::int64_t* batches,
                                std::int64_t* samples) noexcept {
  return service<NoTensors>(host, "timing.count", [&](InstanceHost& self) {
    check_output(batches);
    check_output(samples);
    return with_times(self, [&](const PhaseTimes& times) {
      *batches = times.batches;
      *samples = times.samples;
    });
  });
}

std::int32_t GRAPNEL_CALL samples_per_second(const grapnel_host* host, double* rate) noexcept {
  return service<NoTensors>(host, "timing.samples_per_second", [&](InstanceHost& self) {
    check_output(rate);
    return with_times(self, [&](const PhaseTimes& times) { *rate = times.samples_per_second(); });
  });
}

}  // namespace

const grapnel_timing kTiming = {sizeof(grapnel_timing), 0, &phase, &total, &count,
                                &samples_per_second};

}  // namespace grapnel::bridge
