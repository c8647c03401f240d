#include "services.h"

namespace grapnel::testkit {
namespace {

std::int32_t phase(const grapnel_host* host, std::int32_t phase, double* seconds) {
  if (phase < GRAPNEL_PHASE_OTHER || phase > GRAPNEL_PHASE_VALIDATION) return GRAPNEL_UNSUPPORTED;
  const auto& times = RecordingHost::of(host).times;
  if (!times) return GRAPNEL_NOT_FOUND;
  *seconds = times->phases[static_cast<std::size_t>(phase)];
  return GRAPNEL_OK;
}
std::int32_t total_time(const grapnel_host* host, double* seconds, double* in_hooks) {
  const auto& times = RecordingHost::of(host).times;
  if (!times) return GRAPNEL_NOT_FOUND;
  *seconds = times->total;
  *in_hooks = times->in_hooks;
  return GRAPNEL_OK;
}
std::int32_t trained(const grapnel_host* host, std::int64_t* batches, std::int64_t* samples) {
  const auto& times = RecordingHost::of(host).times;
  if (!times) return GRAPNEL_NOT_FOUND;
  *batches = times->batches;
  *samples = times->samples;
  return GRAPNEL_OK;
}
std::int32_t samples_per_second(const grapnel_host* host, double* rate) {
  const auto& times = RecordingHost::of(host).times;
  if (!times) return GRAPNEL_NOT_FOUND;
  const double training = times->total - times->phases[GRAPNEL_PHASE_VALIDATION];
  *rate = training > 0 ? static_cast<double>(times->samples) / training : 0;
  return GRAPNEL_OK;
}
const grapnel_timing timing_functions = {sizeof(grapnel_timing),
                                         0,
                                         service<phase>("timing.phase"),
                                         service<total_time>("timing.total"),
                                         service<trained>("timing.trained"),
                                         service<samples_per_second>("timing.samples_per_second")};

}  // namespace

const void* timing_table() {
  return &timing_functions;
}

}  // namespace grapnel::testkit
