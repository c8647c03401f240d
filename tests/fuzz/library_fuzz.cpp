// Any bytes as a shared library of any format: refused with a DataError, or its facts.
#include <grapnel/base/error.h>
#include <grapnel/host/library_file.h>
#include <grapnel/host/sealing.h>

#include "fuzz_target.h"

namespace library_fuzz {

using namespace grapnel;

GRAPNEL_FUZZ_TARGET(library) {
  try {
    (void)host::check_sealing(host::read_library(bytes));
  } catch (const DataError&) {
  }
}

}  // namespace library_fuzz
