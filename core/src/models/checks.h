// Checks of what the ready models are made with.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "grapnel/base/error.h"

namespace grapnel {

inline void check_size(const char* model, const char* name, int64_t size) {
  if (size >= 1) return;
  throw ConfigError({}, fmt::format("{}: {} must be at least 1, found {}", model, name, size),
                    name);
}

inline void check_dropout(const char* model, double dropout) {
  if (dropout >= 0.0 && dropout < 1.0) return;
  throw ConfigError(
      {}, fmt::format("{}: dropout must be at least 0 and below 1, found {}", model, dropout),
      "dropout");
}

}  // namespace grapnel
