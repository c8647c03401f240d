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
#include "models/checks.h"

namespace grapnel {

namespace {

constexpr int64_t kPooled = 2;  // rows and columns before the linear layer

torch::nn::Sequential make_network(const CNNOptions& options) {
  check_size("CNN", "in_channels", options.in_channels);
  check_size("CNN", "classes", options.classes);
  check_size("CNN", "channels", static_cast<int64_t>(options.channels.size()));
  check_dropout("CNN", options.dropout);
  torch::nn::Sequential network;
  int64_t channels = options.in_channels;
  for (size_t i = 0; i < options.channels.size(); ++i) {
    check_size("CNN", "channels", options.channels[i]);
    const std::string block = "block" + std::to_string(i);
    network->push_back(block + "_conv",
                       Observed<torch::nn::Conv2d>(
                           torch::nn::Conv2dOptions(channels, options.channels[i], 3).padding(1)));
    network->push_back(block + "_norm", Observed<torch::nn::BatchNorm2d>(options.channels[i]));
    network->push_back(block + "_relu", Observed<torch::nn::ReLU>());
    network->push_back(block + "_pool", Observed<torch::nn::MaxPool2d>(2));
    channels = options.channels[i];
  }
  network->push_back("pool", Observed<torch::nn::AdaptiveAvgPool2d>(kPooled));
  network->push_back("flatten", Observed<torch::nn::Flatten>());
  if (options.dropout > 0.0)
    network->push_back("dropout", Observed<torch::nn::Dropout>(options.dropout));
  network->push_back("out",
                     Observed<torch::nn::Linear>(channels * kPooled * kPooled, options.classes));
  return network;
}

}  // namespace

CNN::CNN(CNNOptions options) : Classifier(make_network(options), std::move(options.training)) {}

std::vector<std::string> CNN::metric_names(const Trainer& trainer) const {
  if (typeid(*this) != typeid(CNN)) return {};  // it may log more
  return supervised_metric_names(trainer, Loss::cross_entropy);
}

const ParameterTable& CNN::table() {
  using namespace parameter;
  static const ParameterTable table = [] {
    std::vector<ParameterSpec> specs = {
        integer("in_channels", 1).at_least(1).doc("Channels of the images."),
        integer_list("channels", {16, 32})
            .at_least(1)
            .items(1, 16)
            .doc("Channels of each block; each halves rows and columns."),
        integer("classes", 10).at_least(1).doc("Number of classes."),
        number("dropout", 0.0).at_least(0).below(1).doc("Share to drop before the last layer.")};
    for (ParameterSpec& spec : classifier_option_specs()) specs.push_back(std::move(spec));
    return ParameterTable("cnn", "Convolutions over images, for classes.", std::move(specs));
  }();
  return table;
}

CNNOptions CNN::read(const Parameters& p) {
  return {.in_channels = p.get<int64_t>("in_channels"),
          .channels = p.get<std::vector<int64_t>>("channels"),
          .classes = p.get<int64_t>("classes"),
          .dropout = p.get<double>("dropout"),
          .training = read_classifier_options(p)};
}

}  // namespace grapnel
