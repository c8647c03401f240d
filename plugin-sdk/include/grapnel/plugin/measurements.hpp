// The training's device, its load and the process's memory, and where the time of a fit goes;
// ext/device.h and ext/timing.h have the rules. Empty optionals: not known.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <grapnel/plugin/context.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {

/// Bytes.
struct DeviceMemory {
  std::uint64_t used;
  std::uint64_t total;
};

/// Reads anew with each call: not in every step.
class TrainingDevice {
 public:
  explicit TrainingDevice(detail::Context& context) : context_(&context) {
    detail::check(context.call<&grapnel_device::info>(&info_), "the device");
  }

  std::int32_t type() const { return info_->type; }  ///< GRAPNEL_DEVICE_... or of DeviceType
  bool is_cpu() const { return info_->type == GRAPNEL_DEVICE_CPU; }
  std::int32_t index() const { return info_->index; }                      ///< -1 for the CPU
  std::string_view name() const { return detail::from_abi(info_->name); }  ///< may be empty
  std::optional<DeviceMemory> memory() const {
    DeviceMemory memory{};
    const auto status = context_->call<&grapnel_device::memory>(&memory.used, &memory.total);
    if (!detail::check_found(status, "the device's memory")) return {};
    return memory;
  }
  std::optional<double> utilization() const {  ///< percent
    double percent = 0;
    const auto status = context_->call<&grapnel_device::utilization>(&percent);
    if (!detail::check_found(status, "the device's utilization")) return {};
    return percent;
  }
  std::optional<std::uint64_t> process_memory() const {  ///< resident, bytes
    std::uint64_t resident = 0;
    const auto status = context_->call<&grapnel_device::process_memory>(&resident);
    if (!detail::check_found(status, "the process's memory")) return {};
    return resident;
  }

 private:
  detail::Context* context_;
  const grapnel_device_info* info_ = nullptr;
};

enum class Phase : std::int32_t {
  other = GRAPNEL_PHASE_OTHER,
  data_wait = GRAPNEL_PHASE_DATA_WAIT,
  transfer = GRAPNEL_PHASE_TRANSFER,
  forward = GRAPNEL_PHASE_FORWARD,
  backward = GRAPNEL_PHASE_BACKWARD,
  optimizer = GRAPNEL_PHASE_OPTIMIZER,
  validation = GRAPNEL_PHASE_VALIDATION,
};

struct TotalTime {
  double seconds;
  double in_hooks;  ///< of these, estimated
};

struct TrainedCount {
  std::int64_t batches;
  std::int64_t samples;
};

/// Empty in runs other than a fit. Get one in init, where it can't be read yet (Error), to have the
/// whole fit measured.
class Timing {
 public:
  explicit Timing(detail::Context& context) : context_(&context) {
    context.find<grapnel_timing>();  // which is what makes the host measure
  }

  std::optional<double> seconds(Phase phase) const {
    double seconds = 0;
    const auto status =
        context_->call<&grapnel_timing::phase>(static_cast<std::int32_t>(phase), &seconds);
    if (!detail::check_found(status, "the time of a phase")) return {};
    return seconds;
  }
  std::optional<TotalTime> total() const {
    TotalTime time{};
    const auto status = context_->call<&grapnel_timing::total>(&time.seconds, &time.in_hooks);
    if (!detail::check_found(status, "the time of the fit")) return {};
    return time;
  }
  std::optional<TrainedCount> count() const {
    TrainedCount count{};
    const auto status = context_->call<&grapnel_timing::count>(&count.batches, &count.samples);
    if (!detail::check_found(status, "the count of samples")) return {};
    return count;
  }
  std::optional<double> samples_per_second() const {
    double rate = 0;
    const auto status = context_->call<&grapnel_timing::samples_per_second>(&rate);
    if (!detail::check_found(status, "the samples per second")) return {};
    return rate;
  }

 private:
  detail::Context* context_;
};

}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
