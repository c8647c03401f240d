// What a plugin put into a batch in the place of the loader's tensors: a step that can't work with it
// fails in the model's code or in LibTorch's, and names nobody.
#pragma once

#include <ATen/DimVector.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

namespace grapnel {
class Batch;
class Trainer;
}  // namespace grapnel

namespace grapnel::bridge {

class InstanceHost;

// Of one instance and one batch.
struct ReplacedBatch {
  // Batches that were begun of each kind: training, validation in a fit, evaluation, prediction.
  using Place = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t>;
  struct Kind {
    c10::ScalarType dtype = c10::ScalarType::Undefined;  // no tensor
    c10::Layout layout = c10::kStrided;
    at::DimVector sizes;
    bool operator==(const Kind&) const = default;
  };
  struct Replacement {
    std::size_t index = 0;
    std::string name;
    Kind before, after;
  };
  Place place{-1, -1, -1, -1, -1};
  std::string hook;
  std::vector<Replacement> tensors;
};

// Before the tensor of the running hook's batch is replaced.
void note_replacement(InstanceHost& self, const Batch& batch, std::size_t index,
                      const at::Tensor& by);
// "on_train_batch_start replaced 'x' (float32 [8, 64] by float32 [8, 3]) of the batch"; empty: nothing of
// the batch that the trainer is at.
std::string describe_replacements(const InstanceHost& self, const Trainer& trainer);

}  // namespace grapnel::bridge
