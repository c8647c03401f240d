// Gradient clipping, as torch.nn.utils does it.
#pragma once

#include "grapnel/optimizer.h"

namespace grapnel {

// Scales the gradients of an optimizer's parameters so that their total norm is at most clip_val,
// or clamps each into [-clip_val, clip_val]. Does nothing when clip_val is not above 0.
void clip_gradients(Optimizer& optimizer, double clip_val, bool by_norm);

}  // namespace grapnel
