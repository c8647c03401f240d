// The device of a training and the process, for people and monitors. What the system, the driver
// or LibTorch does not tell is left out.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "grapnel/export.h"

namespace grapnel {

// Memory in bytes. Of the CPU: the machine's.
struct DeviceMemory {
  std::uint64_t used = 0;
  std::uint64_t total = 0;
};

// Reads one device. Not thread-safe.
class GRAPNEL_CORE_API DeviceMeter {
 public:
  explicit DeviceMeter(const c10::Device& device);
  ~DeviceMeter();
  DeviceMeter(const DeviceMeter&) = delete;
  DeviceMeter& operator=(const DeviceMeter&) = delete;

  const c10::Device& device() const { return device_; }
  // "NVIDIA H200", the processor's name; empty: unknown.
  const std::string& name() const { return name_; }
  std::optional<DeviceMemory> memory() const;
  // 0 to 100: of the processors since the previous reading, the first time since the meter was made,
  // and nothing where no time has passed (the system counts in hundredths of a second); of a GPU as the
  // driver averages it.
  std::optional<double> utilization_percent();

 private:
  struct Sources;
  c10::Device device_;
  std::string name_;
  std::unique_ptr<Sources> sources_;
};

// Memory of this process that is resident, in bytes.
GRAPNEL_CORE_API std::optional<std::uint64_t> process_resident_bytes();

}  // namespace grapnel
