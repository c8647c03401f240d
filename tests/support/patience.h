// How much longer than usual a test waits for a process: sanitized programs are several times as slow.
#pragma once

namespace grapnel::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr double kPatience = 5;
#else
inline constexpr double kPatience = 1;
#endif

}  // namespace grapnel::test
