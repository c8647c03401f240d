// The input and the output of a step.
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

// Ordered tensors [N, ...] of N samples; names are optional. sample_indices are the samples' places
// in the data set, or empty if they are not known. payload is free for a custom loader to pass
// anything to a custom module.
class GRAPNEL_CORE_API Batch {
 public:
  Batch() = default;
  explicit Batch(std::vector<at::Tensor> tensors, std::vector<std::string> names = {});

  size_t size() const { return tensors_.size(); }
  bool empty() const { return tensors_.empty() && !payload.has_value(); }

  // Throws DataError, listing the tensors, for an unknown index or name.
  const at::Tensor& operator[](size_t index) const;
  const at::Tensor& operator[](std::string_view name) const;

  // Replaces a tensor of this batch; the data set keeps its own.
  void replace(size_t index, at::Tensor tensor);

  // Empty text for a tensor without a name.
  const std::string& name(size_t index) const;

  const std::vector<at::Tensor>& tensors() const { return tensors_; }

  // N: the first dimension of the first tensor that is not a scalar; 1 without one.
  int64_t batch_size() const;

  std::vector<int64_t> sample_indices;
  std::any payload;

 private:
  std::vector<at::Tensor> tensors_;
  std::vector<std::string> names_;
};

// A tensor, or branches of tensors with or without names: the result of predict_step.
struct GRAPNEL_CORE_API TensorTree {
  TensorTree() = default;
  TensorTree(at::Tensor value) : tensor(std::move(value)) {}

  at::Tensor tensor;  // defined at a leaf
  std::vector<std::pair<std::string, TensorTree>> children;

  bool empty() const { return !tensor.defined() && children.empty(); }
};

// The result of training_step, validation_step and test_step. Without a loss, the training skips
// the backward pass.
struct GRAPNEL_CORE_API StepOutput {
  StepOutput() = default;
  StepOutput(at::Tensor value) : loss(std::move(value)) {}
  StepOutput(std::nullopt_t) {}

  at::Tensor loss;  // scalar; undefined when the step computed none
  std::vector<std::pair<std::string, at::Tensor>> extras;
  TensorTree prediction;  // of predict_step

  // The loss as a number, fetched from its device at the first call; empty without a loss.
  std::optional<double> loss_value();

 private:
  std::optional<double> loss_value_;
};

}  // namespace grapnel
