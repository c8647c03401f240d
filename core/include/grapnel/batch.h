// What flows through a step: the batch that goes in and the output that comes out.
#pragma once

#include <ATen/core/Tensor.h>

#include <any>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grapnel/export.h"

namespace grapnel {

// Ordered tensors, the first dimension of each counting samples [N, ...]; names are optional. The
// indices say where each of the N samples stands in its data set, where that is known. payload is
// the user's own: whatever a custom loader wants to hand to a custom module.
class GRAPNEL_CORE_API Batch {
 public:
  Batch() = default;
  explicit Batch(std::vector<at::Tensor> tensors, std::vector<std::string> names = {});

  size_t size() const { return tensors_.size(); }
  bool empty() const { return tensors_.empty() && !payload.has_value(); }

  // Throws DataError naming what there is when the index or name doesn't exist.
  const at::Tensor& operator[](size_t index) const;
  const at::Tensor& operator[](std::string_view name) const;

  // Puts another tensor in the place of one; the data set keeps its own.
  void replace(size_t index, at::Tensor tensor);

  // Empty text for a tensor without a name.
  const std::string& name(size_t index) const;

  const std::vector<at::Tensor>& tensors() const { return tensors_; }

  // N: the first dimension of the first tensor that has one; 1 when there is none.
  int64_t batch_size() const;

  std::vector<int64_t> sample_indices;
  std::any payload;

 private:
  std::vector<at::Tensor> tensors_;
  std::vector<std::string> names_;
};

// A tensor, or named or unnamed branches of such: what predict_step returns.
struct GRAPNEL_CORE_API TensorTree {
  TensorTree() = default;
  TensorTree(at::Tensor value) : tensor(std::move(value)) {}

  at::Tensor tensor;  // defined at a leaf
  std::vector<std::pair<std::string, TensorTree>> children;

  bool empty() const { return !tensor.defined() && children.empty(); }
};

// What training_step, validation_step and test_step return. Without a loss the training step does
// no backward pass.
struct GRAPNEL_CORE_API StepOutput {
  StepOutput() = default;
  StepOutput(at::Tensor value) : loss(std::move(value)) {}
  StepOutput(std::nullopt_t) {}

  at::Tensor loss;  // scalar; undefined when the step computed none
  std::vector<std::pair<std::string, at::Tensor>> extras;
  TensorTree prediction;  // of predict_step

  // The loss as a number: fetched from its device at the first call, then kept. Empty without a
  // loss.
  std::optional<double> loss_value();

 private:
  std::optional<double> loss_value_;
};

}  // namespace grapnel
