// libFuzzer's entry point, for a program with one target.
#include <cstdint>

#include "fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  grapnel::fuzz::targets().front().run(std::as_bytes(std::span(data, size)));
  return 0;
}
