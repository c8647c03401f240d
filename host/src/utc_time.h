// Timestamps for records.
#pragma once

#include <fmt/chrono.h>

#include <chrono>
#include <string>

namespace grapnel::host {

// "2026-01-31T09:00:00Z"
[[nodiscard]] inline std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
}

}  // namespace grapnel::host
