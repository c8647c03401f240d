// Where numbers of options end that computations in float32 use.
#pragma once

namespace grapnel {

// Rounded down, so that messages stay readable: the largest float32 is 3.4028235e38, and what is
// above it becomes infinite.
inline constexpr double kLargestFloat = 3.4e38;

}  // namespace grapnel
