// A forward pass of the model for a plugin, which leaves no trace in the training.
#pragma once

#include <ATen/core/Tensor.h>

namespace grapnel::bridge {

class InstanceHost;

// The model's output, with memory of its own where it would share the model's or the input's. The
// running call has a module and a trainer. Throws what the model throws; everything is put back all the
// same: buffers, modes of layers, random generators. eval: all layers in eval mode meanwhile.
at::Tensor forward_undisturbed(InstanceHost& self, const at::Tensor& input, bool eval);

}  // namespace grapnel::bridge
