// Checks of what schedulers are constructed with.
#pragma once

#include <fmt/format.h>

#include <string_view>

#include "grapnel/base/error.h"

namespace grapnel {

// ConfigError "StepLR: step_size must be at least 1, found 0" unless the condition holds.
template <class T>
void check_argument(bool holds, std::string_view scheduler, std::string_view name,
                    std::string_view accepted, const T& found) {
  if (holds) return;
  throw ConfigError({},
                    fmt::format("{}: {} must be {}, found {}", scheduler, name, accepted, found),
                    std::string(name));
}

}  // namespace grapnel
