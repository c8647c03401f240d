#include "grapnel/models/mlp.h"

#include <ATen/ops/zeros.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>

#include "grapnel/models/supervised.h"
#include "grapnel/observed.h"
#include "models/shared_options.h"
#include "models/torch_error.h"

namespace grapnel {

namespace {

torch::nn::Sequential make_network(const MLPOptions& options) {
  MLP::options_table().check(options, "MLP");
  torch::nn::Sequential network;
  network->push_back("flatten", Observed<torch::nn::Flatten>());
  LayerSide in{"in_features", options.in_features};
  const auto linear = [&in](const LayerSide& out) {
    return make_layer(in, out, [&] { return Observed<torch::nn::Linear>(in.size, out.size); });
  };
  for (size_t i = 0; i < options.hidden.size(); ++i) {
    const std::string layer = "hidden" + std::to_string(i);
    network->push_back(layer + "_linear", linear({"hidden", options.hidden[i]}));
    network->push_back(layer + "_relu", Observed<torch::nn::ReLU>());
    if (options.dropout > 0.0) {
      network->push_back(layer + "_dropout", Observed<torch::nn::Dropout>(options.dropout));
    }
    in = {"hidden", options.hidden[i]};
  }
  network->push_back("out", linear({"classes", options.classes}));
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

const OptionsTable<MLPOptions>& MLP::options_table() {
  using O = MLPOptions;
  static const OptionsTable<MLPOptions> table(
      "mlp", "Fully connected layers, for classes.",
      {option("in_features", &O::in_features)
           .at_least(1)
           .doc("Numbers per sample, all dimensions together."),
       option("hidden", &O::hidden).at_least(1).doc("Sizes of the hidden layers."),
       option("classes", &O::classes).at_least(1).doc("Number of classes."),
       option("dropout", &O::dropout)
           .at_least(0)
           .below(1)
           .doc("Share of each hidden layer to drop."),
       embed(&O::training, training_options<ClassifierOptions>())});
  return table;
}

}  // namespace grapnel
