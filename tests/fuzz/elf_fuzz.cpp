// Any bytes as an ELF library, whatever their magic: refused with a DataError, or its facts.
#include <grapnel/base/error.h>
#include <grapnel/host/sealing.h>

#include "fuzz_target.h"
#include "library_formats.h"

namespace elf_fuzz {

using namespace grapnel;

GRAPNEL_FUZZ_TARGET(elf) {
  try {
    (void)host::check_sealing(host::read_elf(bytes));
  } catch (const DataError&) {
  }
}

}  // namespace elf_fuzz
