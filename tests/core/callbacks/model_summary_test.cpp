#include "grapnel/callbacks/model_summary.h"

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/rnn.h>

#include "../support/scripted.h"
#include "captured_log.h"
#include "catch.h"
#include "grapnel/nn_module.h"
#include "grapnel/observed.h"

namespace model_summary_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;
namespace nn = torch::nn;

namespace {

// A network, and an input that shows its sizes.
class Shown : public NNModule {
 public:
  template <class Network>
  Shown(Network network, at::Tensor example)
      : NNModule(std::move(network)), example_(std::move(example)) {}
  at::Tensor example_input() override { return example_; }

 private:
  at::Tensor example_;
};

Observed<nn::Sequential> images() {
  Observed<nn::Sequential> features;
  features->push_back("conv",
                      Observed<nn::Conv2d>(nn::Conv2dOptions(1, 2, 3).padding(1).stride(2)));
  features->push_back("norm", Observed<nn::BatchNorm2d>(2));
  Observed<nn::Sequential> all;
  all->push_back("features", features);
  all->push_back("flatten", nn::Flatten());
  all->push_back("out", Observed<nn::Linear>(32, 3));
  return all;
}

}  // namespace

TEST_CASE("the summary shows sizes and FLOPs of observed layers, parameters of all others") {
  Shown module(images(), at::zeros({5, 1, 8, 8}));
  const Summary summary = summarize(module, -1);
  REQUIRE(summary.layers.size() == 5);
  CHECK(summary.layers[0].type == "Sequential");
  CHECK(summary.layers[1].name == "features.conv");
  CHECK(summary.layers[1].type == "Conv2d");
  CHECK(summary.layers[1].in_size == "[5, 1, 8, 8]");
  CHECK(summary.layers[1].out_size == "[5, 2, 4, 4]");
  // 2 per product: 5 images, 16 places, 2 filters of 9.
  CHECK(summary.layers[1].flops == 2 * 5 * 16 * 2 * 9);
  CHECK(summary.layers[0].flops == summary.layers[1].flops);
  CHECK(summary.layers[3].in_size == "?");
  CHECK_FALSE(summary.layers[3].flops.has_value());
  CHECK(summary.layers[4].flops == 2 * 5 * 32 * 3);
  CHECK(summary.total_flops == *summary.layers[1].flops + *summary.layers[4].flops);
}

TEST_CASE(
    "the pass that shows the sizes leaves modes, statistics and random numbers as they were") {
  Observed<nn::Sequential> network;
  network->push_back(Observed<nn::Linear>(4, 4));
  network->push_back(Observed<nn::BatchNorm1d>(4));
  network->push_back(nn::Dropout(0.5));
  Shown module(network, at::ones({3, 4}));
  network->children()[1]->eval();
  const at::Tensor mean = module.state_view().find("1.running_mean")->tensor.clone();
  at::manual_seed(3);
  const at::Tensor expected = at::rand({2});
  at::manual_seed(3);
  const Summary summary = summarize(module);
  CHECK(at::equal(at::rand({2}), expected));
  CHECK(summary.modules_in_train_mode == 2);
  CHECK(summary.modules_in_eval_mode == 1);
  CHECK_FALSE(network->children()[1]->is_training());
  CHECK(network->children()[2]->is_training());
  CHECK(at::equal(module.state_view().find("1.running_mean")->tensor, mean));
}

TEST_CASE("layers whose modes can't be put back after a summary are told, and the summary stands") {
  struct Stubborn final : Shown {
    using Shown::Shown;
    void set_training_modes(const std::vector<std::pair<std::string, bool>>&) override {
      throw std::runtime_error("stubborn");
    }
  };
  Stubborn module(images(), at::zeros({5, 1, 8, 8}));
  const CapturedLog log;
  CHECK(summarize(module).has_sizes);
  CHECK_THAT(log.text(), Contains("could not be put back: stubborn"));
}

TEST_CASE("an observed layer keeps its default arguments and shows all of its outputs") {
  Observed<nn::LSTM> rnn(nn::LSTMOptions(6, 5).batch_first(true));
  class Recorder final : public LayerObserver {
   public:
    void on_forward(const void*, const TensorTree& in, const TensorTree& out) override {
      inputs = in;
      output = out;
    }
    TensorTree inputs;
    TensorTree output;
  } recorder;
  {
    const LayerObserver::Scope scope(recorder);
    rnn(at::zeros({2, 3, 6}));
  }
  CHECK(recorder.inputs.tensor.sizes() == at::IntArrayRef({2, 3, 6}));
  REQUIRE(recorder.output.children.size() == 2);
  CHECK(recorder.output.children[0].second.tensor.sizes() == at::IntArrayRef({2, 3, 5}));
  CHECK(recorder.output.children[1].second.children.size() == 2);
  CHECK_FALSE(LayerObserver::watching());
}

TEST_CASE("FLOPs are counted forward and backward, by every active counter") {
  at::Tensor w = at::ones({4, 5}).set_requires_grad(true);
  at::Tensor k = at::ones({3, 2, 3, 3}).set_requires_grad(true);
  FlopCounter outer;
  {
    FlopCounter inner;
    at::ones({3, 4}).mm(w).sum().backward();
    CHECK(inner.total() == 2 * (2 * 3 * 4 * 5));
  }
  const int64_t before = outer.total();
  at::conv2d(at::ones({2, 2, 6, 6}), k).sum().backward();
  // Forward, and the weight's gradient; the input needs none.
  CHECK(outer.total() - before == 2 * (2 * 2 * 16 * 3 * 2 * 9));
}

TEST_CASE(
    "the summary counts tied weights once, and has a row for parameters outside the listed "
    "layers") {
  nn::Sequential network;
  nn::Linear shared(nn::LinearOptions(3, 3).bias(false));
  network->push_back("first", shared);
  network->push_back("second", shared);
  network->register_parameter("scale", at::ones({2}, at::requires_grad(false)), false);
  NNModule module(network);
  const Summary summary = summarize(module);
  REQUIRE(summary.layers.size() == 2);
  CHECK(summary.layers[1].num_parameters == 9);
  CHECK(summary.total_parameters == 11);
  CHECK(summary.trainable_parameters == 9);
  CHECK(summary.other_parameters == 2);
  CHECK(summary.model_size == Approx(44e-6));
  CHECK(summarize(module, 0).other_parameters == 11);
}

TEST_CASE("ModelSummary logs the table when a fit starts, and nothing with max_depth=0") {
  const CapturedLog log;
  ToyModule module;
  Trainer trainer(quiet(1), {std::make_shared<ModelSummary>()});
  trainer.fit(module, toy_data(1, 0));
  CHECK_THAT(log.text(), Contains("  | Name") && Contains("4         Trainable params") &&
                             Contains("other params"));
  const size_t before = log.text().size();
  Trainer silent(quiet(1), {std::make_shared<ModelSummary>(ModelSummaryOptions{.max_depth = 0})});
  silent.fit(module, toy_data(1, 0));
  CHECK(log.text().substr(before).find("Trainable") == std::string::npos);
  CHECK_THROWS_WITH(ModelSummary({.max_depth = -2}),
                    Contains("max_depth must be at least -1, found the integer -2"));
}

TEST_CASE("a model in another precision than its example shows its sizes all the same") {
  for (const at::ScalarType type : {at::kDouble, at::kBFloat16}) {
    Shown module(images(), at::zeros({5, 1, 8, 8}));
    for (const StateEntry& entry : module.state_view().entries()) {
      at::Tensor tensor = entry.tensor;
      if (tensor.is_floating_point()) tensor.set_data(tensor.detach().to(type));
    }
    const Summary summary = summarize(module, -1);
    CHECK(summary.has_sizes);
    CHECK(summary.layers[1].out_size == "[5, 2, 4, 4]");
  }
}

TEST_CASE(
    "an example input that the model can't take loses the sizes in the summary, not the training") {
  Shown module(images(), at::zeros({5, 7}));
  const CapturedLog log;
  const Summary summary = summarize(module, 1);
  CHECK_FALSE(summary.has_sizes);
  CHECK(summary.layers.size() == 3);
  CHECK_THAT(log.text(), Contains("forward(example_input()) failed"));
}

}  // namespace model_summary_test
