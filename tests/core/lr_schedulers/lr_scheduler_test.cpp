// The schedulers' numbers against those of torch.optim.lr_scheduler, and everything around them.
#include <ATen/ops/ones.h>

#include <cmath>
#include <filesystem>

#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/base/json.h"
#include "grapnel/lr_schedulers.h"
#include "grapnel/lr_schedulers/registry.h"
#include "grapnel/optim.h"
#include "grapnel/optim/registry.h"

namespace lr_scheduler_test {

using namespace grapnel;
using Catch::Contains;

namespace {

constexpr int kSteps = 20;

at::Tensor new_param() {
  return at::ones({2}).requires_grad_();
}

// Two groups with the rates of recorded/record_optim.py.
std::shared_ptr<Optimizer> two_groups(const ConfigValue& config) {
  return make_optimizer(config, "optimizer",
                        {{.params = {new_param()}, .options = {{"lr", 0.1}}},
                         {.params = {new_param()}, .options = {{"lr", 0.02}}}});
}

std::shared_ptr<SGD> sgd(double lr = 0.1) {
  return std::make_shared<SGD>(std::vector{new_param()}, SGDOptions{.lr = lr});
}

double momentum_of(const ParamGroup& group) {
  const auto beta1 = group.options.find("beta1");
  if (beta1 != group.options.end()) return beta1->second;
  const auto momentum = group.options.find("momentum");
  return momentum == group.options.end() ? 0.0 : momentum->second;
}

struct Case {
  explicit Case(const ConfigValue& config) : recorded(config) {
    optimizer = two_groups(recorded.at("optimizer"));
    for (const ConfigValue& scheduler : recorded.at("schedulers").as_array()) {
      schedulers.push_back(make_lr_scheduler(scheduler, "scheduler", optimizer));
    }
  }

  void check(int step) const {
    INFO(write_json(recorded.at("schedulers")) << " after step " << step);
    for (size_t group = 0; group < 2; ++group) {
      const auto at = [&](const char* what) {
        return recorded.at(what).as_array()[step].as_array()[group].as_double();
      };
      const ParamGroup& live = optimizer->groups()[group];
      CHECK(std::abs(live.options.at("lr") - at("lr")) <= 1e-12 * (1 + std::abs(at("lr"))));
      CHECK(std::abs(momentum_of(live) - at("momentum")) <= 1e-12);
    }
  }

  void step(int index) const {
    std::optional<double> metric;
    if (const ConfigValue* metrics = recorded.find("metrics")) {
      metric = metrics->as_array()[index].as_double();
    }
    for (const auto& scheduler : schedulers) scheduler->step(metric);
  }

  const ConfigValue& recorded;
  std::shared_ptr<Optimizer> optimizer;
  std::vector<std::shared_ptr<LRScheduler>> schedulers;
};

std::shared_ptr<LRScheduler> from(std::string_view text, std::shared_ptr<Optimizer> optimizer) {
  return make_lr_scheduler(parse_json(text, "run.json"), "model.scheduler", std::move(optimizer));
}

}  // namespace

TEST_CASE("every scheduler computes what PyTorch's computes") {
  const ConfigValue recorded =
      read_json_file(std::filesystem::path(RECORDED) / "lr_schedulers.json");
  for (const ConfigValue& item : recorded.at("cases").as_array()) {
    const Case run(item);
    run.check(0);
    for (int step = 0; step < kSteps; ++step) {
      run.step(step);
      run.check(step + 1);
    }
  }
}

TEST_CASE("a scheduler saved and loaded at any step continues as if uninterrupted") {
  const ConfigValue recorded =
      read_json_file(std::filesystem::path(RECORDED) / "lr_schedulers.json");
  for (const ConfigValue& item : recorded.at("cases").as_array()) {
    for (const int at : {1, 4, 11}) {
      const Case first(item);
      for (int step = 0; step < at; ++step) first.step(step);
      const Case resumed(item);
      resumed.optimizer->load_state_dict(first.optimizer->state_dict());
      for (size_t i = 0; i < first.schedulers.size(); ++i) {
        resumed.schedulers[i]->load_state_dict(first.schedulers[i]->state_dict());
      }
      for (int step = at; step < kSteps; ++step) {
        resumed.step(step);
        resumed.check(step + 1);
      }
    }
  }
}

TEST_CASE("every scheduler of the registry has a recording of PyTorch's") {
  const ConfigValue recorded =
      read_json_file(std::filesystem::path(RECORDED) / "lr_schedulers.json");
  const std::string text = write_json(recorded);
  for (const std::string& name : lr_scheduler_registry().names()) {
    CHECK_THAT(text, Contains("\"name\":\"" + name + "\""));
  }
}

TEST_CASE("LambdaLR scales the base rate, MultiplicativeLR the present one") {
  const auto one = sgd();
  LambdaLR lambda(one, [](int64_t epoch) { return std::pow(0.5, epoch); });
  CHECK(lambda.last_lr() == std::vector{0.1});
  lambda.step();
  lambda.step();
  CHECK(lambda.last_lr()[0] == Approx(0.025));

  const auto two = sgd();
  MultiplicativeLR multiplicative(
      two, [](int64_t epoch) { return 1.0 / static_cast<double>(epoch + 1); });
  CHECK(multiplicative.last_lr() == std::vector{0.1});
  multiplicative.step();
  multiplicative.step();
  CHECK(multiplicative.last_lr()[0] == Approx(0.1 / 2 / 3));
  CHECK(multiplicative.type_name() == "MultiplicativeLR");
}

TEST_CASE("schedulers apply to a parameter group added later, with its own learning rate") {
  const auto optimizer = sgd();
  const ExponentialLR exponential(optimizer, 0.5);
  LambdaLR lambda(optimizer, [](int64_t epoch) { return epoch < 2 ? 1.0 : 0.1; });
  lambda.step();
  optimizer->add_group({.params = {new_param()}, .options = {{"lr", 0.8}}});
  lambda.step();
  CHECK(lambda.last_lr()[0] == Approx(0.01));
  CHECK(lambda.last_lr()[1] == Approx(0.08));
}

TEST_CASE("CyclicLR's custom scale function gets the cycle or the number of steps") {
  std::vector<double> seen;
  CyclicLR cyclic(sgd(), {.base_lr = {0.1},
                          .max_lr = {0.3},
                          .step_size_up = 2,
                          .scale_fn =
                              [&](double x) {
                                seen.push_back(x);
                                return 0.5;
                              },
                          .scale_mode = CyclicScaleMode::iterations,
                          .cycle_momentum = false});
  cyclic.step();
  cyclic.step();
  CHECK(cyclic.last_lr()[0] == Approx(0.2));
  CHECK(seen == std::vector{0.0, 1.0, 2.0});
}

TEST_CASE("ReduceLROnPlateau without a metric is an error that says so") {
  ReduceLROnPlateau plateau(sgd());
  CHECK(plateau.wants_metric());
  CHECK_THROWS_WITH(plateau.step(), Contains("needs a metric"));
  plateau.step(1.0);
  CHECK(plateau.best() == 1.0);
  plateau.step(std::nan(""));
  CHECK(plateau.best() == 1.0);
  CHECK(plateau.num_bad_epochs() == 1);
}

TEST_CASE("OneCycleLR refuses a step past its end") {
  OneCycleLR cycle(sgd(), {.max_lr = {0.5}, .total_steps = 2, .cycle_momentum = false});
  cycle.step();
  cycle.step();
  CHECK_THROWS_WITH(cycle.step(), Contains("step 3") && Contains("2 steps"));
}

TEST_CASE("scheduler arguments out of range are refused with the accepted range") {
  const auto optimizer = sgd();
  CHECK_THROWS_WITH(StepLR(optimizer, 0),
                    Contains("StepLR: step_size must be at least 1, found the integer 0"));
  CHECK_THROWS_WITH(ConstantLR(optimizer, 1.5), Contains("factor"));
  CHECK_THROWS_WITH(LinearLR(optimizer, 0.0), Contains("start_factor"));
  CHECK_THROWS_WITH(LinearLR(optimizer, 0.5, -0.1), Contains("end_factor"));
  CHECK_THROWS_WITH(CosineAnnealingLR(optimizer, 0), Contains("T_max"));
  CHECK_THROWS_WITH(SWALR(optimizer, 0.1, -1), Contains("anneal_epochs"));
  CHECK_THROWS_WITH(SWALR(optimizer, std::vector{0.1, 0.2}),
                    Contains("2 values") && Contains("1 group"));
  CHECK_THROWS_WITH(OneCycleLR(optimizer, {.max_lr = {0.1}}), Contains("total_steps"));
  CHECK_THROWS_WITH(OneCycleLR(std::make_shared<Adagrad>(std::vector{new_param()}),
                               {.max_lr = {0.1}, .total_steps = 5}),
                    Contains("Adagrad has neither momentum nor beta1"));
  CHECK_THROWS_WITH(LambdaLR(optimizer, LRLambda()), Contains("empty"));
  CHECK_THROWS_WITH(StepLR(nullptr, 1), Contains("optimizer"));

  const auto step = std::make_shared<StepLR>(optimizer, 1);
  const auto plateau = std::make_shared<ReduceLROnPlateau>(optimizer);
  const auto sequence = std::make_shared<SequentialLR>(
      optimizer, std::vector<std::shared_ptr<LRScheduler>>{step}, std::vector<int64_t>{});
  using List = std::vector<std::shared_ptr<LRScheduler>>;
  CHECK_THROWS_WITH(SequentialLR(optimizer, List{step, step}, {}), Contains("one milestone fewer"));
  CHECK_THROWS_WITH(SequentialLR(optimizer, List{step, plateau}, {3}),
                    Contains("ReduceLROnPlateau"));
  CHECK_THROWS_WITH(SequentialLR(optimizer, List{sequence, step}, {3}), Contains("SequentialLR"));
  CHECK_THROWS_WITH(SequentialLR(sgd(), List{step}, {}), Contains("another optimizer"));
  CHECK_THROWS_WITH(SequentialLR(optimizer, List{step, step, step}, {5, 3}),
                    Contains("rising order"));
}

TEST_CASE("a scheduler's option that can't work is refused with key, value and range") {
  constexpr const char* kFloat = "at least 0 and at most 3.4e+38";
  constexpr const char* kAboveZero = "above 0 and at most 3.4e+38";
  constexpr const char* kShare = "at least 0 and at most 1";
  struct Case {
    const char* config;
    const char* option;
    const char* accepted;
  };
  const Case cases[] = {
      {R"({"name": "CosineAnnealingLR", "T_max": 3, "eta_min": 1e300})", "eta_min", kFloat},
      {R"({"name": "CosineAnnealingWarmRestarts", "T_0": 3, "eta_min": 1e39})", "eta_min", kFloat},
      {R"({"name": "SWALR", "swa_lr": 1e300})", "swa_lr", kFloat},
      {R"({"name": "StepLR", "step_size": 1, "gamma": 1e300})", "gamma", kFloat},
      {R"({"name": "MultiStepLR", "milestones": [1], "gamma": 1e300})", "gamma", kFloat},
      {R"({"name": "ExponentialLR", "gamma": 1e300})", "gamma", kFloat},
      {R"({"name": "PolynomialLR", "power": -1})", "power", kFloat},
      {R"({"name": "PolynomialLR", "power": 1e300})", "power", kFloat},
      {R"({"name": "ConstantLR", "total_iters": -1})", "total_iters", "at least 0"},
      {R"({"name": "CyclicLR", "base_lr": 1e39, "max_lr": 1})", "base_lr", kFloat},
      {R"({"name": "CyclicLR", "base_lr": 0, "max_lr": 1e39})", "max_lr", kFloat},
      {R"({"name": "CyclicLR", "base_lr": 0, "max_lr": 1, "gamma": 1e39})", "gamma", kFloat},
      {R"({"name": "CyclicLR", "base_lr": 0, "max_lr": 1, "max_momentum": 2})", "max_momentum",
       kShare},
      {R"({"name": "CyclicLR", "base_lr": 0, "max_lr": 1, "base_momentum": 2})", "base_momentum",
       kShare},
      {R"({"name": "OneCycleLR", "total_steps": 9, "max_lr": 1e39})", "max_lr", kAboveZero},
      {R"({"name": "OneCycleLR", "total_steps": 9, "max_lr": 1, "max_momentum": 1.5})",
       "max_momentum", kShare},
      {R"({"name": "OneCycleLR", "total_steps": 9, "max_lr": 1, "div_factor": 1e300})",
       "div_factor", kAboveZero},
      {R"({"name": "OneCycleLR", "total_steps": 9, "max_lr": 1, "final_div_factor": 1e300})",
       "final_div_factor", kAboveZero},
      {R"({"name": "ReduceLROnPlateau", "monitor": "x", "min_lr": 1e39})", "min_lr", kFloat},
      {R"({"name": "ReduceLROnPlateau", "monitor": "x", "eps": 1e39})", "eps", kFloat},
      {R"({"name": "ReduceLROnPlateau", "monitor": "x", "threshold": 1e39})", "threshold", kFloat},
  };
  for (const Case& wrong : cases) {
    INFO(wrong.config);
    CHECK_THROWS_WITH(
        make_scheduler_config(parse_json(wrong.config, "run.json"), "scheduler", sgd()),
        Contains("run.json:1:") && Contains(std::string("scheduler.") + wrong.option) &&
            Contains(std::string("must be ") + wrong.accepted + ", found the "));
  }
  const auto adam = std::make_shared<Adam>(std::vector{new_param()}, AdamOptions{});
  CHECK_THROWS_WITH(OneCycleLR(adam, {.max_lr = {0.1}, .total_steps = 5, .max_momentum = {1.0}}),
                    Contains("beta1 of Adam, which must be below 1, found 1"));
  CHECK_THROWS_WITH(OneCycleLR(sgd(), {.max_lr = {0.1},
                                       .epochs = int64_t{1} << 40,
                                       .steps_per_epoch = int64_t{1} << 40}),
                    Contains("too many to count"));
}

TEST_CASE("a learning rate that a schedule raises beyond float32 ends it with the reason") {
  const auto optimizer = sgd();
  StepLR steps(optimizer, 1, 1e30);
  steps.step();
  const double before = optimizer->groups()[0].options.at("lr");
  CHECK_THROWS_WITH(steps.step(), Contains("StepLR: the learning rate of step 2 would be ") &&
                                      Contains("at most 3.4e+38"));
  CHECK(optimizer->groups()[0].options.at("lr") == before);
  CHECK_THROWS_WITH(OneCycleLR(sgd(), {.max_lr = {1e30}, .total_steps = 5, .div_factor = 1e-30}),
                    Contains("OneCycleLR: the learning rate of step 0 would be "));
}

TEST_CASE("schedules longer than any training stay at their beginning") {
  constexpr int64_t kForever = std::numeric_limits<int64_t>::max();
  const auto optimizer = sgd();
  const double first = optimizer->groups()[0].options.at("lr");
  CosineAnnealingLR cosine(optimizer, kForever);
  for (int i = 0; i < 3; ++i) cosine.step();
  CHECK(optimizer->groups()[0].options.at("lr") == Approx(first));
  CosineAnnealingWarmRestarts restarts(sgd(), 2, kForever);
  for (int i = 0; i < 6; ++i) restarts.step();
  CHECK(restarts.state_dict().at("T_i").to_int() == kForever);
}

TEST_CASE("a state of another scheduler is refused and nothing changes") {
  const auto optimizer = sgd();
  StepLR step(optimizer, 2);
  step.step();
  StateDict state = step.state_dict();
  state["type"] = "ExponentialLR";
  state["last_epoch"] = 7;
  CHECK_THROWS_WITH(step.load_state_dict(state), Contains("ExponentialLR"));
  state["type"] = "StepLR";
  state["base_lrs"] = StateList{0.1, 0.2};
  CHECK_THROWS_WITH(step.load_state_dict(state), Contains("2 groups"));
  state["base_lrs"] = StateList{std::nan("")};
  CHECK_THROWS_WITH(step.load_state_dict(state), Contains("base_lrs"));
  state["base_lrs"] = StateList{0.1};
  state["step_count"] = -7;
  CHECK_THROWS_WITH(step.load_state_dict(state), Contains("step_count=-7"));
  CHECK(step.last_epoch() == 1);
}

TEST_CASE("run.json sets interval, frequency and monitor of a scheduler") {
  const SchedulerConfig config = make_scheduler_config(
      parse_json(
          R"({"name": "StepLR", "step_size": 2, "interval": "step", "frequency": 3, "label": "rate"})",
          "run.json"),
      "model.scheduler", sgd());
  CHECK(config.scheduler->type_name() == "StepLR");
  CHECK(config.interval == Interval::step);
  CHECK(config.frequency == 3);
  CHECK(config.name == "rate");
  CHECK(config.strict);
  CHECK_THROWS_WITH(
      make_scheduler_config(parse_json(R"("ReduceLROnPlateau")", "run.json"), "scheduler", sgd()),
      Contains("needs \"monitor\""));
}

TEST_CASE("run.json's mistakes in a scheduler name their place") {
  CHECK_THROWS_WITH(from(R"({"name": "StepLr", "step_size": 1})", sgd()),
                    Contains("run.json:1:10") && Contains("did you mean 'StepLR'"));
  CHECK_THROWS_WITH(from(R"({"name": "StepLR"})", sgd()), Contains("step_size"));
  CHECK_THROWS_WITH(from(R"({"name": "OneCycleLR", "max_lr": 0.1})", sgd()),
                    Contains("run.json:1:1") && Contains("total_steps"));
  CHECK_THROWS_WITH(from(R"({"name": "SequentialLR", "milestones": [1],
                             "schedulers": ["ConstantLR", {"name": "StepLR", "step_size": 0}]})",
                         sgd()),
                    Contains("run.json:2:") && Contains("model.scheduler.schedulers.1.step_size"));
}

}  // namespace lr_scheduler_test
