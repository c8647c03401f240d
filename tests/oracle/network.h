// The networks of the cases, with initial weights that are a formula and not random.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>

#include "json.h"

namespace torch::nn {
class Module;
}

namespace grapnel::oracle {

struct Network {
  using Forward = std::function<at::Tensor(const at::Tensor&)>;

  std::shared_ptr<torch::nn::Module> root;  // submodules in the recorded order
  Forward forward;
  Forward disc;  // of net "two": the second half alone
};

// `model` is the case's module spec: "net", "freeze". Parameter i of named_parameters() has the
// elements 0.5 * cos(0.9 k + 0.7 i) in row-major order; those of BatchNorm and LayerNorm keep
// LibTorch's defaults.
Network make_network(const Json& model);

// A submodule by its dotted path, "" for the root; throws grapnel::Error naming those there are.
std::shared_ptr<torch::nn::Module> submodule(const Network& network, const std::string& path);

}  // namespace grapnel::oracle
