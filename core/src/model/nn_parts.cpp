// What NNModule knows of the layers of its network by their classes.
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/instancenorm.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/modules/rnn.h>

#include "grapnel/nn_module.h"

namespace grapnel {

namespace {

namespace nn = torch::nn;

template <class Norm>
bool add_batch_norm(const std::string& name, const std::shared_ptr<nn::Module>& module,
                    std::vector<BatchNormLayer>& found) {
  const auto norm = std::dynamic_pointer_cast<Norm>(module);
  if (norm == nullptr) return false;
  if (!norm->running_mean.defined() || !norm->running_var.defined()) return true;
  found.push_back(
      {.name = name,
       .momentum = [norm] { return norm->options.momentum(); },
       .set_momentum = [norm](std::optional<double> value) { norm->options.momentum(value); }});
  return true;
}

template <class... Layers>
bool reset_as(nn::Module& module) {
  const auto reset = [&module](auto* layer) {
    if (layer == nullptr) return false;
    layer->reset_parameters();
    return true;
  };
  return (reset(dynamic_cast<Layers*>(&module)) || ...);
}

}  // namespace

std::vector<BatchNormLayer> NNModule::batch_norms() {
  std::vector<BatchNormLayer> found;
  for (const auto& item : network().named_modules()) {
    add_batch_norm<nn::BatchNorm1dImpl>(item.key(), item.value(), found) ||
        add_batch_norm<nn::BatchNorm2dImpl>(item.key(), item.value(), found) ||
        add_batch_norm<nn::BatchNorm3dImpl>(item.key(), item.value(), found);
  }
  return found;
}

bool NNModule::reset_parameters(const std::string& part) {
  const auto modules = network().named_modules();
  const auto* found = modules.find(part);
  if (found == nullptr) return false;
  return reset_as<nn::LinearImpl, nn::BilinearImpl, nn::Conv1dImpl, nn::Conv2dImpl, nn::Conv3dImpl,
                  nn::ConvTranspose1dImpl, nn::ConvTranspose2dImpl, nn::ConvTranspose3dImpl,
                  nn::BatchNorm1dImpl, nn::BatchNorm2dImpl, nn::BatchNorm3dImpl,
                  nn::InstanceNorm1dImpl, nn::InstanceNorm2dImpl, nn::InstanceNorm3dImpl,
                  nn::LayerNormImpl, nn::GroupNormImpl, nn::EmbeddingImpl, nn::EmbeddingBagImpl,
                  nn::RNNImpl, nn::LSTMImpl, nn::GRUImpl, nn::RNNCellImpl, nn::LSTMCellImpl,
                  nn::GRUCellImpl>(**found);
}

}  // namespace grapnel
