#include "grapnel/state_dict.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include "catch.h"
#include "grapnel/base/error.h"

namespace state_dict_test {

using namespace grapnel;
using Catch::Contains;

TEST_CASE("a StateDict keeps its keys in insertion order") {
  StateDict state = {{"b", 1}, {"a", 2.5}, {"c", "text"}};
  state["a"] = true;
  state["d"] = StateList{1, StateDict{{"x", {}}}};
  std::vector<std::string> keys;
  for (const auto& [key, value] : state) keys.push_back(key);
  CHECK(keys == std::vector<std::string>{"b", "a", "c", "d"});
  CHECK(state.erase("a"));
  CHECK_FALSE(state.erase("a"));
  CHECK(state.size() == 3);
  CHECK(state.contains("d"));
  CHECK(state.at("d").to_list()[1].to_dict().at("x").is_null());
}

TEST_CASE("a StateDict from an initializer list keeps the last value of a repeated key") {
  const StateDict state = {{"a", 1}, {"a", 2}};
  CHECK(state.size() == 1);
  CHECK(state.at("a").to_int() == 2);
}

TEST_CASE("StateDict::append adds a key at the end, and it is found") {
  StateDict state = {{"b", 1}};
  state.append("a", 2.5);
  state.append("list", StateList{1});
  CHECK(state.size() == 3);
  CHECK(state.at("a").to_double() == 2.5);
  CHECK((state.end() - 1)->first == "list");
}

TEST_CASE("StateDict::at of a missing key is an error that names it and the nearest one") {
  const StateDict state = {{"wait_count", 1}, {"best_score", 0.5}};
  CHECK_THROWS_AS(state.at("wait_cuont"), CheckpointError);
  CHECK_THROWS_WITH(state.at("wait_cuont"),
                    Contains("'wait_cuont'") && Contains("did you mean 'wait_count'"));
  CHECK_THROWS_WITH(state.at("xyz"), Contains("'wait_count' and 'best_score'"));
  CHECK_THROWS_WITH(StateDict().at("xyz"), Contains("empty"));
}

TEST_CASE("reading a state value as another type says what was expected and what was found") {
  const StateDict state = {{"text", "five"}, {"list", StateList{1, 2}},     {"none", {}},
                           {"flag", true},   {"tensor", at::zeros({2, 3})}, {"int", 3},
                           {"half", 0.5}};
  CHECK_THROWS_WITH(state.at("text").to_int(),
                    Contains("an integer") && Contains("the string 'five'"));
  CHECK_THROWS_WITH(state.at("list").to_dict(), Contains("a dict") && Contains("a list of 2"));
  CHECK_THROWS_WITH(state.at("none").to_tensor(), Contains("a tensor") && Contains("null"));
  CHECK_THROWS_WITH(state.at("flag").to_double(), Contains("a number") && Contains("true"));
  CHECK_THROWS_WITH(state.at("tensor").to_bool(), Contains("a tensor of shape [2, 3]"));
  CHECK_THROWS_WITH(state.at("half").to_int(), Contains("the number 0.5"));
  CHECK(state.at("int").to_double() == 3.0);
  CHECK(StateValue(at::Tensor()).describe() == "an undefined tensor");
}

TEST_CASE("a StateDict snapshot doesn't change with the original") {
  const at::Tensor tensor = at::zeros({2}).requires_grad_();
  StateDict state = {{"list", StateList{tensor, 1}},
                     {"dict", StateDict{{"t", tensor}, {"u", at::Tensor()}}}};
  const StateDict copy = snapshot(state);
  tensor.detach().fill_(7.0);
  state["list"].to_list()[1] = 2;
  const at::Tensor& kept = copy.at("list").to_list()[0].to_tensor();
  CHECK(kept.sum().item().toDouble() == 0.0);
  CHECK_FALSE(kept.requires_grad());
  CHECK(copy.at("list").to_list()[1].to_int() == 1);
  CHECK(copy.at("dict").to_dict().at("t").to_tensor().sum().item().toDouble() == 0.0);
  CHECK_FALSE(copy.at("dict").to_dict().at("u").to_tensor().defined());
}

TEST_CASE("a StateDict snapshot taken in inference mode can be trained with") {
  const c10::InferenceMode inference;
  const StateDict copy = snapshot({{"t", at::ones({2})}});
  CHECK_FALSE(copy.at("t").to_tensor().is_inference());
}

}  // namespace state_dict_test
