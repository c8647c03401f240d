// The optimizers' numbers against those of torch.optim, and everything around them.
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <filesystem>

#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/base/json.h"
#include "grapnel/optim.h"
#include "grapnel/optim/registry.h"

namespace optim_test {

using namespace grapnel;
using Catch::Contains;

namespace {

const std::vector<std::vector<int64_t>> kShapes = {{3}, {2, 2}};

// The parameters and gradients of recorded/record_optim.py.
std::vector<at::Tensor> make_params() {
  std::vector<at::Tensor> params;
  for (int i = 0; i < 2; ++i) {
    at::Tensor param = at::zeros(kShapes[i]);
    for (int k = 0; k < param.numel(); ++k) {
      param.data_ptr<float>()[k] = static_cast<float>(0.5 * std::cos(0.9 * k + 0.7 * i));
    }
    params.push_back(param.requires_grad_());
  }
  return params;
}

void set_gradients(const std::vector<at::Tensor>& params, int step) {
  for (int i = 0; i < static_cast<int>(params.size()); ++i) {
    at::Tensor grad = at::zeros(params[i].sizes());
    for (int k = 0; k < grad.numel(); ++k) {
      grad.data_ptr<float>()[k] = static_cast<float>(0.4 * std::sin(1.3 * step + 0.8 * k + i));
    }
    params[i].mutable_grad() = grad;
  }
}

double largest_difference(const at::Tensor& param, const ConfigValue& recorded) {
  double largest = 0.0;
  for (int64_t k = 0; k < param.numel(); ++k) {
    const double expected = recorded.as_array()[k].as_double();
    largest = std::max(largest, std::abs(param.data_ptr<float>()[k] - expected));
  }
  return largest;
}

std::vector<float> values(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().contiguous().flatten();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

at::Tensor param_of(std::vector<float> numbers) {
  return at::tensor(numbers).requires_grad_();
}

}  // namespace

TEST_CASE("every optimizer computes what torch.optim computes") {
  const ConfigValue recorded = read_json_file(std::filesystem::path(RECORDED) / "optim.json");
  for (const ConfigValue& item : recorded.at("cases").as_array()) {
    const ConfigValue& config = item.at("config");
    INFO(write_json(config));
    const auto params = make_params();
    const auto optimizer = make_optimizer(config, "optimizer", one_group(params));
    CHECK(optimizer->type_name() == config.at("name").as_string());
    for (int step = 0; step < 20; ++step) {
      set_gradients(params, step);
      optimizer->step();
      const ConfigValue* after = item.at("after").find(std::to_string(step + 1));
      if (after == nullptr) continue;
      for (size_t i = 0; i < params.size(); ++i) {
        CHECK(largest_difference(params[i], after->as_array()[i]) < 1e-6);
      }
    }
  }
}

TEST_CASE("every optimizer saved and loaded continues with the same bits") {
  const ConfigValue recorded = read_json_file(std::filesystem::path(RECORDED) / "optim.json");
  for (const ConfigValue& item : recorded.at("cases").as_array()) {
    const ConfigValue& config = item.at("config");
    INFO(write_json(config));
    const auto params = make_params();
    const auto whole = make_optimizer(config, "optimizer", one_group(params));
    auto other_params = make_params();
    StateDict saved;
    for (int step = 0; step < 8; ++step) {
      if (step == 3) {
        saved = snapshot(whole->state_dict());
        for (size_t i = 0; i < params.size(); ++i)
          other_params[i].detach().copy_(params[i].detach());
      }
      set_gradients(params, step);
      whole->step();
    }
    const auto resumed = make_optimizer(config, "optimizer", one_group(other_params));
    resumed->load_state_dict(saved);
    for (int step = 3; step < 8; ++step) {
      set_gradients(other_params, step);
      resumed->step();
    }
    for (size_t i = 0; i < params.size(); ++i) CHECK(values(params[i]) == values(other_params[i]));
  }
}

TEST_CASE("optimizers skip parameters without a gradient, which may get one later") {
  const auto params = make_params();
  const auto reference = make_params();
  for (const char* name : {"SGD", "Adam"}) {
    const auto before = values(params[1]);
    ConfigValue config = ConfigValue::object();
    config.set("name", name);
    if (std::string(name) == "SGD") config.set("momentum", 0.9);
    const auto optimizer = make_optimizer(config, "optimizer", one_group(params));
    set_gradients(params, 0);
    params[1].mutable_grad().reset();
    optimizer->step();
    CHECK(values(params[1]) == before);
    CHECK(optimizer->state().count(params[1].unsafeGetTensorImpl()) == 0);

    // The late parameter takes its first step as if it were alone.
    const at::Tensor alone = params[1].detach().clone().requires_grad_();
    const auto single = make_optimizer(config, "optimizer", one_group({alone}));
    set_gradients(params, 1);
    alone.mutable_grad() = params[1].grad().clone();
    optimizer->step();
    single->step();
    CHECK(values(params[1]) == values(alone));
  }
}

TEST_CASE("an optimizer's group may have parameters of several dtypes") {
  const at::Tensor one = param_of({1.0F, 2.0F});
  const at::Tensor two = at::ones({2}, at::kDouble).requires_grad_();
  Adam adam({one, two}, AdamOptions{.lr = 0.1});
  one.mutable_grad() = at::ones({2});
  two.mutable_grad() = at::ones({2}, at::kDouble);
  adam.step();
  CHECK(values(one)[0] == Approx(0.9));
  CHECK(two[0].item().toDouble() == Approx(0.9));
}

TEST_CASE("optimizers handle gradients in another memory layout") {
  const at::Tensor param = at::zeros({2, 3}).requires_grad_();
  const at::Tensor expanded = at::tensor({1.0F, 2.0F, 3.0F}).expand({2, 3});
  const at::Tensor transposed = at::tensor({1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F}).view({3, 2}).t();
  SGD sgd({param}, SGDOptions{.lr = 1.0});
  param.mutable_grad() = expanded;
  sgd.step();
  CHECK(values(param) == std::vector<float>{-1, -2, -3, -1, -2, -3});
  param.mutable_grad() = transposed;
  sgd.step();
  CHECK(values(param) == std::vector<float>{-2, -5, -8, -3, -6, -9});
}

TEST_CASE("optimizer options may change between steps, also those that need more state") {
  const at::Tensor param = param_of({1.0F});
  SGD sgd({param}, SGDOptions{.lr = 0.5});
  const auto step = [&] {
    param.mutable_grad() = at::ones({1});
    sgd.step();
    return param.item().toFloat();
  };
  CHECK(step() == Approx(0.5));
  sgd.groups()[0].options["lr"] = 0.25;
  CHECK(step() == Approx(0.25));
  sgd.groups()[0].options["momentum"] = 0.5;
  CHECK(step() == Approx(0.0).margin(1e-7));
  CHECK(step() == Approx(-0.375));
  sgd.groups()[0].options["momentum"] = 0.0;
  CHECK(step() == Approx(-0.625));
}

TEST_CASE("a parameter group added later has its own options and the optimizer's defaults") {
  const at::Tensor first = param_of({1.0F});
  const at::Tensor second = param_of({1.0F});
  SGD sgd({first}, SGDOptions{.lr = 0.5, .momentum = 0.1});
  sgd.add_group({.name = "head", .params = {second}, .options = {{"lr", 0.125}}});
  CHECK(sgd.groups()[1].options.at("momentum") == 0.1);
  first.mutable_grad() = at::ones({1});
  second.mutable_grad() = at::ones({1});
  sgd.step();
  CHECK(values(first)[0] == 0.5F);
  CHECK(values(second)[0] == 0.875F);
}

TEST_CASE("an optimizer's closure runs with gradients enabled and may skip the update") {
  const at::Tensor param = param_of({2.0F});
  SGD sgd({param}, SGDOptions{.lr = 0.5});
  bool skip = false;
  const Closure closure = [&] {
    sgd.zero_grad();
    ClosureResult result{.loss = param.mul(param).sum(), .skip_update = skip};
    result.loss.backward();
    return result;
  };
  const c10::AutoGradMode without_grad(false);
  CHECK(sgd.step(closure).loss.item().toFloat() == 4.0F);
  CHECK(values(param)[0] == 0.0F);
  param.detach().fill_(3.0);
  skip = true;
  CHECK(sgd.step(closure).skip_update);
  CHECK(values(param)[0] == 3.0F);
}

TEST_CASE("zero_grad drops gradients, or fills them with zeros") {
  const auto params = make_params();
  SGD sgd(params);
  set_gradients(params, 0);
  params[0].mutable_grad().reset();
  sgd.zero_grad(false);
  CHECK_FALSE(params[0].grad().defined());
  CHECK(values(params[1].grad()) == std::vector<float>(4, 0.0F));
  sgd.zero_grad();
  CHECK_FALSE(params[1].grad().defined());
}

TEST_CASE("an optimizer step keeps no gradient alive") {
  const at::Tensor param = param_of({1.0F});
  Adam adam({param});
  param.mutable_grad() = at::ones({1});
  const c10::weak_intrusive_ptr<c10::TensorImpl> grad(param.grad().getIntrusivePtr());
  adam.step();
  adam.zero_grad();
  CHECK(grad.expired());
}

TEST_CASE("tensors that can't be optimized are refused with the reason") {
  const at::Tensor param = param_of({1.0F});
  CHECK_THROWS_WITH(SGD(std::vector<at::Tensor>{}), Contains("no parameters"));
  CHECK_THROWS_WITH(SGD({at::Tensor()}), Contains("undefined"));
  CHECK_THROWS_WITH(SGD({at::ones({2}, at::kLong)}),
                    Contains("Long") && Contains("floating-point"));
  CHECK_THROWS_WITH(SGD({param.mul(2)}), Contains("leaves"));
  CHECK_THROWS_WITH(SGD({param, param}), Contains("already"));
  SGD sgd({param});
  CHECK_THROWS_AS(sgd.add_group({.params = {param}}), ConfigError);
  // Equal values are not the same parameter.
  CHECK_NOTHROW(sgd.add_group({.params = {param_of({1.0F})}}));
  CHECK(sgd.groups().size() == 2);

  CHECK_THROWS_WITH(SGD({param}, SGDOptions{.lr = -1.0}),
                    Contains("lr must be at least 0") && Contains("-1"));
  CHECK_THROWS_WITH(SGD({param}, SGDOptions{.lr = std::nan("")}), Contains("finite"));
  CHECK_THROWS_WITH(SGD({param}, SGDOptions{.nesterov = true}),
                    Contains("nesterov needs a momentum"));
  CHECK_THROWS_WITH(Adam({param}, AdamOptions{.beta1 = 1.0}), Contains("Adam: beta1 must be"));
  CHECK_THROWS_WITH(AdamW({param}, AdamWOptions{.beta2 = -0.1}), Contains("AdamW: beta2 must be"));
  CHECK_THROWS_WITH(sgd.add_group({.params = {param_of({1.0F})}, .options = {{"momentun", 0.9}}}),
                    Contains("'momentun'") && Contains("'momentum'"));
  CHECK_THROWS_WITH(sgd.add_group({.params = {param_of({1.0F})}, .options = {{"maximize", 0.5}}}),
                    Contains("0 or 1"));
  CHECK_NOTHROW(sgd.add_group({.params = {param_of({1.0F})}, .options = {{"initial_lr", 0.1}}}));
}

TEST_CASE("an unsupported gradient is refused before any parameter is updated") {
  const auto params = make_params();
  SGD sgd(params);
  const auto before = values(params[0]);
  set_gradients(params, 0);
  params[1].mutable_grad() = at::ones({2, 2}).to_sparse();
  CHECK_THROWS_WITH(sgd.step(), Contains("sparse"));
  CHECK(values(params[0]) == before);
}

TEST_CASE("an optimizer state that doesn't fit is refused and nothing changes") {
  const auto params = make_params();
  Adam adam(params);
  set_gradients(params, 0);
  adam.step();
  const StateDict good = snapshot(adam.state_dict());

  const auto refused = [&](StateDict state, const std::string& part) {
    CHECK_THROWS_WITH(adam.load_state_dict(state), Contains(part));
    CHECK(values(adam.state().at(params[0].unsafeGetTensorImpl()).at("exp_avg")) ==
          values(good.at("state").to_dict().at("0").to_dict().at("exp_avg").to_tensor()));
    CHECK(adam.groups()[0].options.at("lr") == 1e-3);
  };
  StateDict state = good;
  state["type"] = "SGD";
  refused(state, "SGD");
  state = good;
  state["groups"] = StateList{};
  refused(state, "0 groups");
  state = good;
  state["groups"].to_list()[0].to_dict()["params"] = StateList{0};
  refused(state, "1 parameters");
  state = good;
  state["groups"].to_list()[0].to_dict()["options"].to_dict()["lr"] = -1.0;
  refused(state, "lr must be");
  state = good;
  state["state"].to_dict()["1"].to_dict()["exp_avg"] = at::ones({5});
  refused(state, "shape [5]");
  state = good;
  state["state"].to_dict()["7"] = StateDict{};
  refused(state, "'7'");
  state.erase("groups");
  refused(state, "'groups'");
  state = good;
  state["state"].to_dict()["1"].to_dict().erase("exp_avg_sq");
  refused(state, "'exp_avg_sq' of parameter 1 is missing");
  state = good;
  state["state"].to_dict().erase("0");
  refused(state, "of parameter 0 is missing");

  // Files of earlier builds don't list it.
  StateDict earlier = good;
  earlier["groups"].to_list()[0].to_dict().erase("with_state");
  state = earlier;
  state["state"].to_dict()["1"].to_dict().erase("step");
  refused(state, "'step' of parameter 1 is missing");
  CHECK_NOTHROW(adam.load_state_dict(earlier));
}

TEST_CASE("a parameter that has no state is saved and loaded without it") {
  const auto params = make_params();
  Adam adam(params);
  params[1].mutable_grad() = at::ones(params[1].sizes());
  adam.step();
  const StateDict saved = snapshot(adam.state_dict());
  CHECK_NOTHROW(adam.load_state_dict(saved));
  CHECK(adam.state().size() == 1);
}

TEST_CASE("an optimizer's option that can't work is refused with key, value and range") {
  struct Case {
    const char* option;
    double value;
    const char* accepted;
  };
  const auto refused = [](const std::string& name, const std::vector<Case>& cases) {
    for (const Case& wrong : cases) {
      ConfigValue config = ConfigValue::object();
      config.set("name", name);
      config.set(wrong.option, wrong.value);
      INFO(name << ": " << wrong.option << "=" << wrong.value);
      CHECK_THROWS_WITH(make_optimizer(config, "model.optimizer", one_group(make_params())),
                        Contains(std::string("model.optimizer.") + wrong.option + " must be " +
                                 wrong.accepted + ", found the "));
    }
  };
  constexpr const char* kFloat = "at least 0 and at most 3.4e+38";
  constexpr const char* kShare = "at least 0 and at most 1";
  for (const double huge : {1e39, 1e300}) {
    for (const char* name : {"Adam", "AdamW", "RMSprop", "Adagrad"}) {
      refused(name, {{"lr", huge, kFloat}, {"weight_decay", huge, kFloat}, {"eps", huge, kFloat}});
    }
    refused("Adagrad", {{"lr_decay", huge, kFloat}, {"initial_accumulator_value", huge, kFloat}});
    refused("SGD", {{"lr", huge, kFloat}, {"weight_decay", huge, kFloat}});
    refused("SGD", {{"momentum", huge, kShare}, {"dampening", huge, kShare}});
    refused("SGD", {{"dampening", -huge, kShare}});
    refused("RMSprop", {{"momentum", huge, kShare}, {"alpha", huge, kShare}});
  }
  // Of a group that is set or loaded later too.
  SGD sgd(make_params(), SGDOptions{});
  CHECK_THROWS_WITH(sgd.add_group({.params = make_params(), .options = {{"lr", 1e39}}}),
                    Contains("SGD: lr must be at least 0 and at most 3.4e+38, found 1e+39"));
  CHECK_NOTHROW(SGD(make_params(), SGDOptions{.lr = 3.4e38, .momentum = 1, .dampening = 1}));
}

TEST_CASE("run.json's mistakes in an optimizer name their place and the nearest name") {
  const auto make = [](std::string_view text) {
    return make_optimizer(parse_json(text, "run.json"), "model.optimizer",
                          one_group(make_params()));
  };
  CHECK(make(R"("SGD")")->type_name() == "SGD");
  CHECK(make(R"({"name": "AdamW", "lr": 0.5})")->groups()[0].options.at("lr") == 0.5);
  CHECK_THROWS_WITH(make(R"({"name": "AdamX"})"), Contains("run.json:1:10") && Contains("'Adam'"));
  CHECK_THROWS_WITH(make(R"({"lr": 1})"), Contains("\"name\" is missing"));
  CHECK_THROWS_WITH(make("3"), Contains("model.optimizer") && Contains("the integer 3"));
  CHECK_THROWS_WITH(make(R"({"name": "SGD", "momentun": 1})"), Contains("'momentum'"));
  CHECK_THROWS_WITH(make(R"({"name": "SGD", "nesterov": true})"),
                    Contains("run.json:1:29") && Contains("nesterov needs"));
}

}  // namespace optim_test
