#include "grapnel/nn_module.h"

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/any.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>

#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/optim.h"

namespace nn_module_test {

using namespace grapnel;
using Catch::Contains;

namespace {

std::vector<std::string> names(const std::vector<StateEntry>& entries) {
  std::vector<std::string> found;
  for (const StateEntry& entry : entries) found.push_back(entry.name);
  return found;
}

// Two layers that share their weight; the forward takes two tensors.
struct TiedImpl : torch::nn::Module {
  TiedImpl()
      : first(register_module("first", torch::nn::Linear(2, 2))),
        second(register_module("second", torch::nn::Linear(2, 2))) {
    second->weight = second->register_parameter("weight2", first->weight);
  }
  at::Tensor forward(const at::Tensor& a, const at::Tensor& b) { return first(a) + second(b); }
  torch::nn::Linear first, second;
};

torch::nn::Sequential small() {
  return torch::nn::Sequential(torch::nn::Linear(3, 4), torch::nn::BatchNorm1d(4),
                               torch::nn::Dropout(0.5), torch::nn::Linear(4, 2));
}

class Net final : public NNModule {
 public:
  Net() : NNModule(small()) {}
  StepOutput training_step(Batch& batch, int64_t /*batch_idx*/) override {
    return forward(batch[0]).sum();
  }
};

class Late final : public NNModule {
 public:
  void configure_model() override { set_network(small()); }
};

}  // namespace

TEST_CASE("NNModule's state view has a network's live parameters and buffers by dotted names") {
  NNModule module(small());
  CHECK(names(module.state_view().entries()) ==
        std::vector<std::string>{"0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias",
                                 "1.running_mean", "1.running_var", "1.num_batches_tracked"});
  CHECK(module.parameters().size() == 6);
  module.state_view().find("3.bias")->tensor.detach().fill_(2.0);
  CHECK(module.network().named_parameters()["3.bias"][0].item().toFloat() == 2.0F);
  CHECK(module.type_name() == "Sequential");
}

TEST_CASE("a tensor shared by two layers is one entry of NNModule's state view") {
  NNModule module(std::make_shared<TiedImpl>());
  CHECK(names(module.state_view().parameters()) ==
        std::vector<std::string>{"first.weight", "first.bias", "second.weight", "second.bias"});
  CHECK_NOTHROW(SGD(module.parameters()));
  CHECK(module.type_name() == "Tied");
}

TEST_CASE("NNModule::forward works with a pointer, a module holder and an AnyModule") {
  torch::nn::Linear linear(3, 2);
  const at::Tensor input = at::ones({1, 3});
  const at::Tensor expected = linear->forward(input);
  CHECK(NNModule(linear).forward(input).equal(expected));
  CHECK(NNModule(linear.ptr()).forward(input).equal(expected));
  CHECK(NNModule(torch::nn::AnyModule(linear)).forward(input).equal(expected));
  CHECK(NNModule(torch::nn::Sequential(linear)).forward(input).equal(expected));
  NNModule tied(std::make_shared<TiedImpl>());
  CHECK_THROWS_AS(tied.forward(input), ConfigError);
  CHECK_THROWS_WITH(tied.forward(input), Contains("TiedImpl has no forward of one tensor"));
}

TEST_CASE("the override mask of an NNModule has only what the derived class overrides") {
  const ModuleMask mask = overridden_module_functions<Net>();
  CHECK(mask.has(ModuleMethod::training_step));
  CHECK_FALSE(mask.has(ModuleMethod::configure_optimizers));
  CHECK_FALSE(overridden_module_functions<NNModule>().has(ModuleMethod::predict_step));
  Net net;
  CHECK(net.type_name() == "Net");
  Batch batch({at::ones({4, 3})});
  CHECK(net.predict_step(batch, 0, 0).tensor.size(1) == 2);
}

TEST_CASE("NNModule restores the train or eval mode of each submodule") {
  NNModule module(small());
  module.train(true);
  module.network().named_modules()["1"]->eval();  // a frozen batch norm
  const auto modes = module.training_modes();
  module.train(false);
  for (const auto& [name, on] : module.training_modes()) CHECK_FALSE(on);
  module.set_training_modes(modes);
  CHECK(module.training_modes() == modes);
  CHECK(module.network().is_training());
  CHECK_FALSE(module.network().named_modules()["1"]->is_training());
}

TEST_CASE("moving an NNModule to a device keeps the parameters' identity") {
  NNModule module(small());
  SGD sgd(module.parameters());
  module.state_view().set_mask("0.weight", at::ones({4, 3}));
  const c10::TensorImpl* before = module.parameters()[0].unsafeGetTensorImpl();
  const at::Device device(at::hasCUDA() ? "cuda:0" : "cpu");
  module.to(device);
  CHECK(module.parameters()[0].unsafeGetTensorImpl() == before);
  CHECK(module.network().parameters()[0].device() == device);
  CHECK(sgd.groups()[0].params[0].device() == device);
  CHECK(module.state_view().find("0.weight")->mask.device() == device);
}

TEST_CASE(
    "NNModule's network may be set late, and a missing one is an error that names the class") {
  Late late;
  CHECK(late.state_view().entries().empty());
  CHECK_THROWS_WITH(late.network(), Contains("Late has no network"));
  late.configure_model();
  CHECK(late.state_view().entries().size() == 9);
  CHECK_THROWS_AS(NNModule(std::shared_ptr<TiedImpl>()), ConfigError);
}

}  // namespace nn_module_test
