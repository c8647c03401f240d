#include "grapnel/callbacks/checkpoint.h"

namespace grapnel {

Checkpoint::~Checkpoint() = default;

}  // namespace grapnel
