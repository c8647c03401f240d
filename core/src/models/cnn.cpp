#include "grapnel/models/cnn.h"

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/pooling.h>

#include "grapnel/models/supervised.h"
#include "grapnel/observed.h"
#include "models/shared_options.h"
#include "models/torch_error.h"

namespace grapnel {

namespace {

constexpr int64_t kPooled = 2;  // rows and columns before the linear layer

torch::nn::Sequential make_network(const CNNOptions& options) {
  CNN::options_table().check(options, "CNN");
  torch::nn::Sequential network;
  LayerSide in{"in_channels", options.in_channels};
  for (size_t i = 0; i < options.channels.size(); ++i) {
    const std::string block = "block" + std::to_string(i);
    const LayerSide out{"channels", options.channels[i]};
    network->push_back(block + "_conv", make_layer(in, out, [&] {
                         return Observed<torch::nn::Conv2d>(
                             torch::nn::Conv2dOptions(in.size, out.size, 3).padding(1));
                       }));
    network->push_back(block + "_norm", Observed<torch::nn::BatchNorm2d>(options.channels[i]));
    network->push_back(block + "_relu", Observed<torch::nn::ReLU>());
    network->push_back(block + "_pool", Observed<torch::nn::MaxPool2d>(2));
    in = out;
  }
  network->push_back("pool", Observed<torch::nn::AdaptiveAvgPool2d>(kPooled));
  network->push_back("flatten", Observed<torch::nn::Flatten>());
  if (options.dropout > 0.0)
    network->push_back("dropout", Observed<torch::nn::Dropout>(options.dropout));
  network->push_back("out", make_layer(in, {"classes", options.classes}, [&] {
                       return Observed<torch::nn::Linear>(in.size * kPooled * kPooled,
                                                          options.classes);
                     }));
  return network;
}

}  // namespace

CNN::CNN(CNNOptions options) : Classifier(make_network(options), std::move(options.training)) {}

std::vector<std::string> CNN::metric_names(const Trainer& trainer) const {
  if (typeid(*this) != typeid(CNN)) return {};  // it may log more
  return supervised_metric_names(trainer, Loss::cross_entropy);
}

const OptionsTable<CNNOptions>& CNN::options_table() {
  using O = CNNOptions;
  static const OptionsTable<CNNOptions> table(
      "cnn", "Convolutions over images, for classes.",
      {option("in_channels", &O::in_channels).at_least(1).doc("Channels of the images."),
       option("channels", &O::channels)
           .at_least(1)
           .items(1, 16)
           .doc("Channels of each block; each halves rows and columns."),
       option("classes", &O::classes).at_least(1).doc("Number of classes."),
       option("dropout", &O::dropout)
           .at_least(0)
           .below(1)
           .doc("Share to drop before the last layer."),
       embed(&O::training, training_options<ClassifierOptions>())});
  return table;
}

}  // namespace grapnel
