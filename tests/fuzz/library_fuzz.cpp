// Any bytes as a shared library: refused with a DataError, or its facts.
#include <cstddef>
#include <cstdint>
#include <span>

#include <grapnel/base/error.h>
#include <grapnel/host/library_file.h>
#include <grapnel/host/sealing.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace grapnel;
  try {
    (void)host::check_sealing(host::read_library(std::as_bytes(std::span(data, size))));
  } catch (const DataError&) {
  }
  return 0;
}
