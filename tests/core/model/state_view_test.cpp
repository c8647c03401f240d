#include "grapnel/state_view.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include "catch.h"
#include "grapnel/base/error.h"

namespace state_view_test {

using namespace grapnel;
using Catch::Contains;

namespace {

std::vector<std::string> names(const std::vector<StateEntry>& entries) {
  std::vector<std::string> found;
  for (const StateEntry& entry : entries) found.push_back(entry.name);
  return found;
}

StateView example() {
  StateView view;
  view.add({.name = "layer.weight", .tensor = at::zeros({2, 2})});
  view.add({.name = "layer.mean", .tensor = at::zeros({2}), .is_parameter = false});
  view.add({.name = "layer.bias", .tensor = at::zeros({2})});
  return view;
}

}  // namespace

TEST_CASE("a state view has parameters first, then buffers, each in the order they were added") {
  const StateView view = example();
  CHECK(names(view.entries()) ==
        std::vector<std::string>{"layer.weight", "layer.bias", "layer.mean"});
  CHECK(names(view.parameters()) == std::vector<std::string>{"layer.weight", "layer.bias"});
  CHECK(names(view.buffers()) == std::vector<std::string>{"layer.mean"});
}

TEST_CASE("a state view's entries are the live tensors") {
  StateView view = example();
  const at::Tensor same = view.find("layer.bias")->tensor;
  view.find("layer.bias")->tensor.fill_(3.0);
  CHECK(same.sum().item().toInt() == 6);
  CHECK(view.find("layer") == nullptr);
}

TEST_CASE("renaming an entry of a state view keeps its position and raises the generation") {
  StateView view = example();
  const uint64_t before = view.generation();
  view.rename("layer.weight", "layer.kernel");
  CHECK(names(view.entries())[0] == "layer.kernel");
  CHECK(view.generation() > before);
  view.erase("layer.mean");
  CHECK(view.generation() > before + 1);
  CHECK(view.buffers().empty());
}

TEST_CASE("StateView::set_mask takes a mask of the parameter's shape and raises the generation") {
  StateView view = example();
  const uint64_t before = view.generation();
  view.set_mask("layer.weight", at::ones({2, 2}));
  CHECK(view.find("layer.weight")->mask.numel() == 4);
  CHECK(names(view.entries()) == names(example().entries()));
  CHECK(view.generation() > before);
  view.set_mask("layer.weight", {});
  CHECK_FALSE(view.find("layer.weight")->mask.defined());
  CHECK(view.generation() > before + 1);
  const uint64_t now = view.generation();
  view.set_mask("layer.weight", {});
  CHECK(view.generation() == now);
  CHECK_THROWS_WITH(view.set_mask("layer.bias", at::ones({3})),
                    Contains("'layer.bias'") && Contains("[3]") && Contains("[2]"));
  CHECK_THROWS_WITH(view.set_mask("layer.mean", at::ones({2})), Contains("buffer"));
  CHECK_THROWS_WITH(view.set_mask("layer.bias", at::ones({2}, at::kDouble)),
                    Contains("layer.bias") && Contains("type Double") && Contains("type Float"));
  CHECK_THROWS_WITH(view.set_mask("layer.bias", at::ones({2}, at::kBool)), Contains("type Bool"));
  CHECK_THROWS_WITH(view.set_mask("layer.bias", at::ones({2}, at::kMeta)), Contains("on meta"));
  CHECK_THROWS_WITH(view.set_mask("layer.wieght", at::ones({2})),
                    Contains("did you mean 'layer.weight'"));
}

TEST_CASE("a duplicate or missing name in a state view is an error that names it") {
  StateView view = example();
  CHECK_THROWS_AS(view.add({.name = "layer.bias", .tensor = at::zeros({1})}), ConfigError);
  CHECK_THROWS_WITH(view.rename("layer.bias", "layer.mean"), Contains("'layer.mean'"));
  CHECK_THROWS_WITH(view.rename("layer.wieght", "x"), Contains("did you mean 'layer.weight'"));
  CHECK_THROWS_AS(view.erase("nothing"), ConfigError);
  const uint64_t before = view.generation();
  view.rename("layer.bias", "layer.bias");
  CHECK(view.generation() == before);
}

}  // namespace state_view_test
