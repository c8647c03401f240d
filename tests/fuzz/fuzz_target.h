// A fuzz target: a reader that is given bytes and has to return, whatever they are.
//
//   GRAPNEL_FUZZ_TARGET(idx) {
//     try {
//       (void)parse_idx(bytes, "fuzz");
//     } catch (const DataError&) {  // the only way to refuse them
//     }
//   }
//
// Every other exception, a failed require() and a report of a sanitizer are findings. With libFuzzer
// (libfuzzer_main.cpp) each target is a program; without it (smoke_main.cpp) all are in one, which runs
// the corpora and some mutations of them.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <span>
#include <string_view>
#include <vector>

namespace grapnel::fuzz {

using Function = void (*)(std::span<const std::byte> bytes);

struct Target {
  const char* name;
  Function run;
};

inline std::vector<Target>& targets() {
  static std::vector<Target> all;
  return all;
}

struct Registration {
  Registration(const char* name, Function run) { targets().push_back({name, run}); }
};

inline void require(bool condition) {
  if (!condition) std::abort();
}

inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace grapnel::fuzz

#define GRAPNEL_FUZZ_TARGET(name)                                                      \
  static void name##_target(std::span<const std::byte> bytes);                         \
  static const grapnel::fuzz::Registration name##_registration(#name, &name##_target); \
  static void name##_target(std::span<const std::byte> bytes)
