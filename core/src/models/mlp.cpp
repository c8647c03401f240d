#include "grapnel/models/mlp.h"

#include <ATen/ops/zeros.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>

#include "grapnel/models/supervised.h"
#include "grapnel/observed.h"
#include "models/checks.h"

namespace grapnel {

namespace {

torch::nn::Sequential make_network(const MLPOptions& options) {
  check_size("MLP", "in_features", options.in_features);
  check_size("MLP", "classes", options.classes);
  check_dropout("MLP", options.dropout);
  torch::nn::Sequential network;
  network->push_back("flatten", Observed<torch::nn::Flatten>());
  int64_t features = options.in_features;
  for (size_t i = 0; i < options.hidden.size(); ++i) {
    check_size("MLP", "hidden", options.hidden[i]);
    const std::string layer = "hidden" + std::to_string(i);
    network->push_back(layer + "_linear", Observed<torch::nn::Linear>(features, options.hidden[i]));
    network->push_back(layer + "_relu", Observed<torch::nn::ReLU>());
    if (options.dropout > 0.0) {
      network->push_back(layer + "_dropout", Observed<torch::nn::Dropout>(options.dropout));
    }
    features = options.hidden[i];
  }
  network->push_back("out", Observed<torch::nn::Linear>(features, options.classes));
  return network;
}

}  // namespace

MLP::MLP(MLPOptions options)
    : Classifier(make_network(options), std::move(options.training)),
      in_features_(options.in_features) {}

at::Tensor MLP::example_input() {
  return at::zeros({1, in_features_});
}

std::vector<std::string> MLP::metric_names(const Trainer& trainer) const {
  if (typeid(*this) != typeid(MLP)) return {};  // it may log more
  return supervised_metric_names(trainer, Loss::cross_entropy);
}

const ParameterTable& MLP::table() {
  using namespace parameter;
  static const ParameterTable table = [] {
    std::vector<ParameterSpec> specs = {
        integer("in_features", 64).at_least(1).doc("Numbers per sample, all dimensions together."),
        integer_list("hidden", {64}).at_least(1).doc("Sizes of the hidden layers."),
        integer("classes", 10).at_least(1).doc("Number of classes."),
        number("dropout", 0.0).at_least(0).below(1).doc("Share of each hidden layer to drop.")};
    for (ParameterSpec& spec : classifier_option_specs()) specs.push_back(std::move(spec));
    return ParameterTable("mlp", "Fully connected layers, for classes.", std::move(specs));
  }();
  return table;
}

MLPOptions MLP::read(const Parameters& p) {
  return {.in_features = p.get<int64_t>("in_features"),
          .hidden = p.get<std::vector<int64_t>>("hidden"),
          .classes = p.get<int64_t>("classes"),
          .dropout = p.get<double>("dropout"),
          .training = read_classifier_options(p)};
}

}  // namespace grapnel
