// Where the time of a fit goes, by phase. Measured on request (Trainer::measure_phases): a phase
// costs two readings of the trainer's clock.
//
// Phases exclude each other, and together they are the whole time. Work that is queued on an
// accelerator counts where the training waits for it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace grapnel {

enum class Phase : std::uint8_t {
  other,       // hooks outside of validation, logging, checkpoints, the loop itself
  data_wait,   // for the next training batch
  transfer,    // of it to the device, with its hooks
  forward,     // training_step
  backward,    // the backward pass
  optimizer,   // optimizer_step without forward and backward: its hooks, clipping, the update
  validation,  // all of it, with its data and hooks
};
inline constexpr std::size_t kPhaseCount = 7;

struct PhaseTimes {
  std::array<double, kPhaseCount> seconds{};  // by Phase
  double total_seconds = 0;                   // since the measuring began
  double hook_seconds = 0;   // in callbacks, within the phases above; estimated without a profiler
  std::int64_t batches = 0;  // training batches that ended in this time
  std::int64_t samples = 0;  // in these

  double operator[](Phase phase) const { return seconds[static_cast<std::size_t>(phase)]; }
  // Of training, without validation; 0 before the first batch has ended.
  double samples_per_second() const {
    const double training = total_seconds - (*this)[Phase::validation];
    return training > 0 ? static_cast<double>(samples) / training : 0;
  }
};

}  // namespace grapnel
