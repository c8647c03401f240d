#include "network.h"

#include <grapnel/base/error.h>
#include <grapnel/base/text.h>
#include <grapnel/observed.h>
#include <torch/nn.h>

#include <cmath>
#include <map>
#include <vector>

namespace grapnel::oracle {
namespace nn = torch::nn;
namespace {

// A module that owns nothing but the children given to it.
class Root final : public nn::Module {};

// Layers that show their sizes and operations.
template <class Holder>
using Seen = Observed<Holder>;
using Sequential = Observed<nn::Sequential>;

template <class... Parts>
Sequential sequence(Parts... parts) {
  Sequential all;
  (all->push_back(std::move(parts)), ...);
  return all;
}

// Registers a child and returns it as the holder that can be called.
template <class Holder>
Holder add(const std::shared_ptr<nn::Module>& root, const std::string& name, Holder child) {
  root->register_module(name, child);
  return child;
}

Network linear(std::shared_ptr<nn::Module> root, std::int64_t outputs) {
  auto layer = add(root, "layer", Seen<nn::Linear>(4, outputs));
  return {root, [layer](const at::Tensor& x) mutable { return layer(x); }, {}};
}

Network mlp() {
  auto root = std::make_shared<Root>();
  auto l1 = add(root, "l1", Seen<nn::Linear>(4, 8));
  auto act = add(root, "act", Seen<nn::Tanh>());
  auto l2 = add(root, "l2", Seen<nn::Linear>(8, 1));
  return {root, [=](const at::Tensor& x) mutable { return l2(act(l1(x))); }, {}};
}

Network bn() {
  auto root = std::make_shared<Root>();
  auto l1 = add(root, "l1", Seen<nn::Linear>(4, 6));
  auto norm = add(root, "bn", Seen<nn::BatchNorm1d>(6));
  auto act = add(root, "act", Seen<nn::Tanh>());
  auto l2 = add(root, "l2", Seen<nn::Linear>(6, 1));
  return {root, [=](const at::Tensor& x) mutable { return l2(act(norm(l1(x)))); }, {}};
}

Network backbone(Sequential body) {
  auto root = std::make_shared<Root>();
  add(root, "backbone", body);
  auto head = add(root, "head", Seen<nn::Linear>(6, 1));
  return {root, [=](const at::Tensor& x) mutable { return head(body->forward(x)); }, {}};
}

Network two() {
  auto root = std::make_shared<Root>();
  auto gen = add(root, "gen", Seen<nn::Linear>(4, 4));
  auto disc = add(root, "disc", Seen<nn::Linear>(4, 1));
  return {root, [=](const at::Tensor& x) mutable { return disc(gen(x)); },
          [=](const at::Tensor& x) mutable { return disc(x); }};
}

Network nested() {
  auto root = std::make_shared<Root>();
  auto encoder =
      sequence(Seen<nn::Linear>(4, 8), Seen<nn::ReLU>(),
               sequence(Seen<nn::Linear>(8, 8), Seen<nn::Dropout>(nn::DropoutOptions(0))));
  add(root, "encoder", encoder);
  auto norm = add(root, "norm", Seen<nn::LayerNorm>(nn::LayerNormOptions({8})));
  auto head = add(root, "head", Seen<nn::Linear>(8, 1));
  return {root, [=](const at::Tensor& x) mutable { return head(norm(encoder->forward(x))); }, {}};
}

Network conv() {
  auto root = std::make_shared<Root>();
  auto body = sequence(Seen<nn::Conv2d>(nn::Conv2dOptions(1, 2, 3)), Seen<nn::BatchNorm2d>(2),
                       Seen<nn::ReLU>(), Seen<nn::MaxPool2d>(nn::MaxPool2dOptions(2)));
  add(root, "conv", body);
  auto flat = add(root, "flat", Seen<nn::Flatten>());
  auto fc = add(root, "fc", Seen<nn::Linear>(18, 3));
  return {root, [=](const at::Tensor& x) mutable { return fc(flat(body->forward(x))); }, {}};
}

Network rootparam() {
  auto root = std::make_shared<Root>();
  root->register_parameter("scale", at::empty({3, 2}));
  return linear(root, 1);
}

Network embed() {
  auto root = std::make_shared<Root>();
  auto emb = add(root, "emb", Seen<nn::Embedding>(10, 6));
  auto drop = add(root, "drop", Seen<nn::Dropout>(nn::DropoutOptions(0)));
  auto rnn = add(root, "rnn", Seen<nn::LSTM>(nn::LSTMOptions(6, 5).batch_first(true)));
  auto fc = add(root, "fc", Seen<nn::Linear>(5, 2));
  return {
      root, [=](const at::Tensor& x) mutable { return fc(std::get<0>(rnn(drop(emb(x))))); }, {}};
}

Network empty() {
  return {std::make_shared<Root>(), [](const at::Tensor& x) { return x.sum(1, true); }, {}};
}

const std::map<std::string, std::function<Network()>>& nets() {
  static const std::map<std::string, std::function<Network()>> table = {
      {"linear", [] { return linear(std::make_shared<Root>(), 1); }},
      {"cls", [] { return linear(std::make_shared<Root>(), 3); }},
      {"mlp", mlp},
      {"bn", bn},
      {"backbone",
       [] {
         return backbone(
             sequence(Seen<nn::Linear>(4, 6), Seen<nn::BatchNorm1d>(6), Seen<nn::Tanh>()));
       }},
      {"backbone_plain",
       [] {
         return backbone(sequence(Seen<nn::Linear>(4, 6), Seen<nn::Tanh>(), Seen<nn::Linear>(6, 6),
                                  Seen<nn::Tanh>()));
       }},
      {"two", two},
      {"nested", nested},
      {"conv", conv},
      {"rootparam", rootparam},
      {"embed", embed},
      {"empty", empty},
  };
  return table;
}

bool keeps_defaults(const nn::Module& module) {
  return dynamic_cast<const nn::BatchNorm1dImpl*>(&module) != nullptr ||
         dynamic_cast<const nn::BatchNorm2dImpl*>(&module) != nullptr ||
         dynamic_cast<const nn::LayerNormImpl*>(&module) != nullptr;
}

void initialize(nn::Module& root) {
  const at::NoGradGuard no_grad;
  std::int64_t i = 0;
  // Depth first with a module's own parameters before its children's, as named_parameters() goes.
  root.apply([&](nn::Module& module) {
    for (auto& parameter : module.named_parameters(/*recurse=*/false)) {
      if (!keeps_defaults(module)) {
        at::Tensor& tensor = parameter.value();
        float* values = tensor.mutable_data_ptr<float>();
        for (std::int64_t k = 0; k < tensor.numel(); ++k) {
          values[k] = static_cast<float>(
              0.5 * std::cos(0.9 * static_cast<double>(k) + 0.7 * static_cast<double>(i)));
        }
      }
      ++i;
    }
  });
}

}  // namespace

Network make_network(const Json& model) {
  const std::string name = text_or(model, "net", "linear");
  const auto found = nets().find(name);
  if (found == nets().end()) throw Error("this runner knows no network '" + name + "'");
  Network network = found->second();
  initialize(*network.root);
  for (const Json& path : items(get(model, "freeze"))) {
    for (at::Tensor& parameter : submodule(network, path.as_string())->parameters()) {
      parameter.set_requires_grad(false);
    }
  }
  return network;
}

std::shared_ptr<nn::Module> submodule(const Network& network, const std::string& path) {
  if (path.empty()) return network.root;
  std::vector<std::string> names;
  for (const auto& item : network.root->named_modules("", /*include_self=*/false)) {
    if (item.key() == path) return item.value();
    names.push_back(item.key());
  }
  throw Error("the network has no submodule '" + path + "'; it has " + join_quoted(names, "and"));
}

}  // namespace grapnel::oracle
