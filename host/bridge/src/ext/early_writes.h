// What a plugin wrote to the model between a forward pass and its backward pass: autograd complains of
// that in the host's own code, and names nobody.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace grapnel {
class Trainer;
}

namespace grapnel::bridge {

class InstanceHost;

// Of one instance and one training batch.
struct EarlyWrites {
  std::int64_t batch = -1;  // batches that the training had begun
  std::uint64_t call = 0;   // of the plugin
  std::vector<std::string> hooks;
  std::vector<std::string> tensors;  // "'weight' (aten::mul_.Scalar)"
};

// Notes a write in the running hook, if it is a tensor of the model or shares memory with one, and
// the hook lies between the two passes. how: what wrote.
void note_write(InstanceHost& self, const at::Tensor& tensor, std::string_view how);
// "on_before_backward wrote to 'weight' (aten::mul_.Scalar)"; empty: nothing in this batch.
std::string describe_early_writes(const InstanceHost& self, const Trainer& trainer);

}  // namespace grapnel::bridge
