// How busy the machine is: processors and memory, as Python's psutil tells it.
#pragma once

#include <cstdint>
#include <optional>

namespace grapnel {

struct HostStats {
  double vm_percent = 0.0;    // memory that is not available to new programs without swapping
  double cpu_percent = 0.0;   // of all processors together, since the reading before
  double swap_percent = 0.0;  // of the swap space; 0 without any
};

class HostMeter {
 public:
  // Takes the first reading, so that the next one has something to compare with.
  HostMeter();

  // Each with one decimal. Nothing where the system doesn't tell (anything but Linux).
  std::optional<HostStats> read();

 private:
  // Time that all processors together were busy and had in all, since the machine started.
  struct Times {
    uint64_t busy = 0;
    uint64_t total = 0;
  };
  static std::optional<Times> times();

  Times before_;
};

}  // namespace grapnel
