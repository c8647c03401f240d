// Load of the machine's processors and memory, as Python's psutil reports it.
#pragma once

#include <cstdint>
#include <optional>

#include "grapnel/device_info.h"

namespace grapnel {

struct HostStats {
  double vm_percent = 0.0;    // memory not available to new programs without swapping
  double cpu_percent = 0.0;   // of all processors together, since the previous reading
  double swap_percent = 0.0;  // of the swap space; 0 without one
};

// The machine's memory: in use is what is not available to new programs. Nothing where the system
// does not report it.
std::optional<DeviceMemory> host_memory();

class HostMeter {
 public:
  // Takes the first reading, for the next one to compare with.
  HostMeter();

  // Rounded to one decimal. Nothing where the system does not report them (only Linux does).
  std::optional<HostStats> read();

  // Only the load of the processors; nothing also where no time has passed since the previous reading,
  // which then stays the one to compare with.
  std::optional<double> cpu_percent();

 private:
  // Busy and total time of all processors together since the machine started.
  struct Times {
    uint64_t busy = 0;
    uint64_t total = 0;
  };
  static std::optional<Times> times();

  Times before_;
};

}  // namespace grapnel
