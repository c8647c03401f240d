// Weights of a checkpoint are put back alike by a Trainer and a Fabric.
#include <functional>

#include "../support/toy.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/checkpoint.h"
#include "grapnel/fabric.h"
#include "temp_dir.h"

namespace weights_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

struct Loading {
  const char* who;
  std::function<void(ToyModule&, const std::filesystem::path&)> load;
};

// The two that load weights, from a file that suits both.
std::vector<Loading> loadings() {
  return {{"Trainer",
           [](ToyModule& module, const std::filesystem::path& path) {
             Trainer trainer(quiet(1));
             trainer.validate(module, toy_data(), {.ckpt_path = path.string(), .verbose = false});
           }},
          {"Fabric", [](ToyModule& module, const std::filesystem::path& path) {
             Fabric fabric;
             fabric.setup(module);
             fabric.load(path, {{"state_dict", module}});
           }}};
}

std::string refusal(const Loading& loading, ToyModule& module, const std::filesystem::path& path) {
  try {
    loading.load(module, path);
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("weights of another type are converted to the module's") {
  TempDir directory;
  const auto path = directory.path() / "double.ckpt";
  const at::Tensor weight = at::full({3, 1}, 1.0 / 3.0, at::kDouble);
  const at::Tensor bias = at::full({1}, 2, at::kLong);
  save_checkpoint_file(path, {{"state_dict", StateDict{{"weight", weight}, {"bias", bias}}}});
  for (const Loading& loading : loadings()) {
    INFO(loading.who);
    ToyModule module;
    loading.load(module, path);
    CHECK(module.weight.scalar_type() == at::kFloat);
    CHECK(at::equal(module.weight.detach(), weight.to(at::kFloat)));
    CHECK(at::equal(module.bias.detach(), at::full({1}, 2.0f)));
    CHECK(module.weight.requires_grad());
  }
}

TEST_CASE("where one weight has another shape, none is changed") {
  TempDir directory;
  const auto path = directory.path() / "shape.ckpt";
  save_checkpoint_file(
      path, {{"state_dict", StateDict{{"weight", at::ones({3, 1})}, {"bias", at::ones({2})}}}});
  for (const Loading& loading : loadings()) {
    INFO(loading.who);
    ToyModule module;
    const at::Tensor before = module.weight.detach().clone();
    CHECK_THAT(refusal(loading, module, path),
               Contains("'bias' has shape [2] in the checkpoint, but [1] in the model"));
    CHECK(at::equal(module.weight.detach(), before));
  }
}

TEST_CASE("names that are missing or unexpected are refused, and both are named") {
  TempDir directory;
  const auto path = directory.path() / "names.ckpt";
  save_checkpoint_file(
      path, {{"state_dict", StateDict{{"weight", at::ones({3, 1})}, {"offset", at::ones({1})}}}});
  for (const Loading& loading : loadings()) {
    INFO(loading.who);
    ToyModule module;
    const at::Tensor before = module.weight.detach().clone();
    CHECK_THAT(refusal(loading, module, path), Contains("missing bias; unexpected offset"));
    CHECK(at::equal(module.weight.detach(), before));
  }
}

TEST_CASE("what matches is loaded where not all must match") {
  TempDir directory;
  const auto path = directory.path() / "part.ckpt";
  save_checkpoint_file(
      path, {{"state_dict", StateDict{{"weight", at::ones({3, 1})}, {"offset", at::ones({1})}}}});
  ToyModule of_trainer;
  of_trainer.strict_loading = false;
  Trainer trainer(quiet(1));
  trainer.validate(of_trainer, toy_data(), {.ckpt_path = path.string(), .verbose = false});
  CHECK(at::equal(of_trainer.weight.detach(), at::ones({3, 1})));

  ToyModule of_fabric;
  Fabric fabric;
  fabric.setup(of_fabric);
  fabric.load(path, {{"state_dict", of_fabric}}, /*strict=*/false);
  CHECK(at::equal(of_fabric.weight.detach(), at::ones({3, 1})));
}

}  // namespace weights_test
