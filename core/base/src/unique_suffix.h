// The end of a name that no other has.
#pragma once

#include <grapnel/base/process.h>

#include <atomic>
#include <cstdint>
#include <random>
#include <string>

namespace grapnel::detail {

// "PID-COUNT-RANDOM": unlikely to meet another name, of this process or of another, ever.
inline std::string unique_suffix() {
  static std::atomic<std::uint32_t> count = 0;
  std::random_device random;
  return std::to_string(process_id()) + "-" + std::to_string(count++) + "-" +
         std::to_string(random());
}

}  // namespace grapnel::detail
