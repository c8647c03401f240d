// Any bytes as a Windows library, whatever their magic: refused with a DataError, or its facts.
#include <grapnel/base/error.h>
#include <grapnel/host/sealing.h>

#include "fuzz_target.h"
#include "library_formats.h"

namespace pe_fuzz {

using namespace grapnel;

GRAPNEL_FUZZ_TARGET(pe) {
  try {
    (void)host::check_sealing(host::read_pe(bytes));
  } catch (const DataError&) {
  }
}

}  // namespace pe_fuzz
