// Any bytes as an IDX file: refused with a DataError, or a tensor of as many numbers as the bytes hold.
#include <grapnel/data/idx.h>

#include <grapnel/base/error.h>

#include "fuzz_target.h"

namespace idx_fuzz {

using namespace grapnel;
using fuzz::require;

GRAPNEL_FUZZ_TARGET(idx) {
  try {
    const at::Tensor tensor = parse_idx(bytes, "fuzz.idx");
    require(tensor.dim() > 0 && tensor.is_contiguous() && tensor.nbytes() < bytes.size());
  } catch (const DataError&) {
  }
}

}  // namespace idx_fuzz
