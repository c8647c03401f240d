// NNModule: a Module around a torch::nn::Module.
//
//   class Net : public grapnel::NNModule {
//    public:
//     Net() : NNModule(torch::nn::Sequential(torch::nn::Linear(64, 10))) {}
//     grapnel::StepOutput training_step(grapnel::Batch& batch, int64_t) override {
//       return torch::nn::functional::cross_entropy(forward(batch[0]), batch[1]);
//     }
//     grapnel::OptimizerConfig configure_optimizers() override {
//       return std::make_shared<grapnel::Adam>(parameters());
//     }
//   };
//
// The network is shared, never copied. This header knows torch::nn by name only, so that including
// it costs nothing; code that builds a network includes <torch/nn.h> in its .cpp.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "grapnel/export.h"
#include "grapnel/module.h"

namespace torch::nn {
class Module;
}

namespace grapnel {

class GRAPNEL_CORE_API NNModule : public Module {
 public:
  // Without a network, which configure_model sets by set_network.
  NNModule() = default;
  ~NNModule() override;

  // network: a std::shared_ptr to a class derived from torch::nn::Module, a module holder such as
  // torch::nn::Sequential, or a torch::nn::AnyModule. ConfigError when it is empty.
  template <class Network>
  explicit NNModule(Network network) {
    set_network(std::move(network));
  }

  // Replaces the network; the state view is rebuilt from it.
  template <class Network>
  void set_network(Network network);

  // Throws ConfigError when none is set.
  torch::nn::Module& network() const;

  // The network's own forward of one tensor. Throws ConfigError when it has none: then override
  // this function.
  at::Tensor forward(const at::Tensor& input) override;

  // Every parameter once, frozen ones included, in the order of the state view.
  std::vector<at::Tensor> parameters();

  // The network's parameters and buffers, names joined by dots ("0.weight"). A tensor that is
  // at several places of the network is one entry, under its first name.
  StateView& state_view() override;

  // The class of the network for an NNModule as such, else the derived class.
  std::string type_name() const override;

  void train(bool on) override;
  std::vector<std::pair<std::string, bool>> training_modes() const override;
  void set_training_modes(const std::vector<std::pair<std::string, bool>>& modes) override;
  void to(const at::Device& device) override;
  std::vector<Layer> layers() override;

  // The network's torch::nn::BatchNorm1d, 2d and 3d that keep running statistics.
  std::vector<BatchNormLayer> batch_norms() override;
  // Knows torch::nn's layers that have a reset_parameters of their own.
  bool reset_parameters(const std::string& part) override;

 private:
  using Forward = std::function<at::Tensor(const at::Tensor&)>;
  void set(std::shared_ptr<torch::nn::Module> network, Forward forward);

  std::shared_ptr<torch::nn::Module> network_;
  Forward forward_;
  bool has_view_ = false;
};

template <class Network>
void NNModule::set_network(Network network) {
  if constexpr (requires { network.ptr(); }) {  // a module holder or AnyModule
    const auto pointer = network.ptr();
    if constexpr (requires(const at::Tensor& x) { at::Tensor(pointer->forward(x)); }) {
      set(pointer, [pointer](const at::Tensor& x) -> at::Tensor { return pointer->forward(x); });
    } else if constexpr (requires(const at::Tensor& x) { at::Tensor(network.forward(x)); }) {
      set(pointer,
          [network](const at::Tensor& x) mutable -> at::Tensor { return network.forward(x); });
    } else {
      set(pointer, nullptr);
    }
  } else if constexpr (requires(const at::Tensor& x) { at::Tensor(network->forward(x)); }) {
    set(network, [network](const at::Tensor& x) -> at::Tensor { return network->forward(x); });
  } else {
    set(network, nullptr);
  }
}

}  // namespace grapnel
