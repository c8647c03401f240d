// What this process has: for checks of what a plugin leaves behind. -1 where the system doesn't tell.
#pragma once

#include <cstdint>

namespace grapnel::validation {

[[nodiscard]] std::int64_t count_threads();
[[nodiscard]] std::int64_t count_descriptors();
[[nodiscard]] std::int64_t count_children();
[[nodiscard]] std::int64_t memory_in_use();  // bytes that were allocated and not freed

}  // namespace grapnel::validation
