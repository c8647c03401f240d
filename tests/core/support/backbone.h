// A network with named parts: "backbone" (a linear layer "0" and a batch normalization "1") and
// "head"; all weights are a fixed formula, so that every run of it is the same.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/linear.h>

#include <cmath>
#include <memory>
#include <string>

#include "grapnel/nn_module.h"
#include "grapnel/observed.h"
#include "toy.h"

namespace grapnel::test {

struct BackboneNetwork : torch::nn::Module {
  struct Backbone : torch::nn::Module {
    Backbone() {
      linear = register_module("0", Observed<torch::nn::Linear>(3, 4));
      norm = register_module("1", Observed<torch::nn::BatchNorm1d>(4));
    }
    Observed<torch::nn::Linear> linear{nullptr};
    Observed<torch::nn::BatchNorm1d> norm{nullptr};
  };

  BackboneNetwork() {
    backbone = register_module("backbone", std::make_shared<Backbone>());
    head = register_module("head", Observed<torch::nn::Linear>(4, 1));
    const at::NoGradGuard no_grad;
    double k = 0;
    for (at::Tensor& tensor : parameters()) {
      tensor.copy_(at::sin(at::arange(tensor.numel(), at::kDouble) + k).view(tensor.sizes()));
      k += 1.7;
    }
  }

  at::Tensor forward(const at::Tensor& x) {
    return head->forward(at::tanh(backbone->norm->forward(backbone->linear->forward(x))));
  }

  std::shared_ptr<Backbone> backbone;
  Observed<torch::nn::Linear> head{nullptr};
};

// Trains the parameters that require a gradient when the optimizer is made.
class BackboneModule : public NNModule {
 public:
  BackboneModule() : BackboneModule(std::make_shared<BackboneNetwork>()) {}

  StepOutput training_step(Batch& batch, int64_t) override {
    const at::Tensor loss = (forward(batch[0]) - batch[1]).pow(2).mean();
    log("train_loss", loss);
    return loss;
  }
  StepOutput validation_step(Batch& batch, int64_t, int64_t) override {
    seen.push_back(network_->backbone->linear->weight.detach().clone());
    const at::Tensor loss = (forward(batch[0]) - batch[1]).pow(2).mean();
    log("val_loss", loss);
    return loss;
  }
  StepOutput test_step(Batch& batch, int64_t i, int64_t loader) override {
    return validation_step(batch, i, loader);
  }
  OptimizerConfig configure_optimizers() override {
    std::vector<at::Tensor> trainable;
    for (const at::Tensor& parameter : parameters()) {
      if (parameter.requires_grad()) trainable.push_back(parameter);
    }
    return std::make_shared<SGD>(trainable, SGDOptions{.lr = 0.05, .momentum = momentum});
  }

  // Of a parameter or buffer; an undefined one when there is none of that name.
  at::Tensor tensor(const std::string& name) {
    const StateEntry* entry = state_view().find(name);
    return entry == nullptr ? at::Tensor() : entry->tensor;
  }
  // Of a pruned parameter; else undefined.
  at::Tensor mask(const std::string& name) {
    const StateEntry* entry = state_view().find(name);
    return entry == nullptr ? at::Tensor() : entry->mask;
  }
  // Copies of everything in the state view, by name; masks as "mask of <name>".
  std::map<std::string, at::Tensor> copies() {
    std::map<std::string, at::Tensor> all;
    for (const StateEntry& entry : state_view().entries()) {
      all[entry.name] = entry.tensor.detach().clone();
      if (entry.mask.defined()) all["mask of " + entry.name] = entry.mask.clone();
    }
    return all;
  }
  BackboneNetwork& net() { return *network_; }

  double momentum = 0.9;
  std::vector<at::Tensor> seen;  // the weight that each validation step computed with

 private:
  explicit BackboneModule(std::shared_ptr<BackboneNetwork> network)
      : NNModule(network), network_(std::move(network)) {}
  std::shared_ptr<BackboneNetwork> network_;
};

// The names of what differs or is only in one; "" when all bits are the same.
inline std::string differing_weights(const std::map<std::string, at::Tensor>& a,
                                     const std::map<std::string, at::Tensor>& b) {
  std::string names;
  for (const auto& [name, tensor] : a) {
    const auto other = b.find(name);
    if (other == b.end() || !at::equal(tensor, other->second)) names += name + " ";
  }
  for (const auto& [name, tensor] : b) {
    if (!a.contains(name)) names += "only in the second: " + name + " ";
  }
  return names;
}
inline bool same_weights(const std::map<std::string, at::Tensor>& a,
                         const std::map<std::string, at::Tensor>& b) {
  return differing_weights(a, b).empty();
}

}  // namespace grapnel::test
