// The plugin warmup in a real training: the rates that steps are made with.
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "catch.h"
#include "grapnel/callbacks/learning_rate_monitor.h"
#include "grapnel/lr_schedulers/exponential_lr.h"
#include "row_logger.h"
#include "shipped_plugin.h"

namespace warmup_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// The rate of each step, as the trainer tells it right before.
struct Rates final : Callback {
  void on_before_optimizer_step(OptimizerEvent& event) override {
    rates.push_back(event.trainer.learning_rate(0, 0));
    options.push_back(event.optimizer.groups()[0].options.at("lr"));
  }
  std::vector<double> rates, options;
};

// An SGD whose rate is halved after every step.
struct Scheduled final : ToyModule {
  OptimizerConfig configure_optimizers() override {
    OptimizerConfig config(
        std::make_shared<SGD>(std::vector<at::Tensor>{weight, bias}, SGDOptions{.lr = 0.5}));
    config.schedulers = {{.scheduler = std::make_shared<ExponentialLR>(config.optimizers[0], 0.5),
                          .interval = Interval::step}};
    return config;
  }
};

std::vector<double> rates_of(const std::string& parameters, std::int64_t steps = 6) {
  const auto seen = std::make_shared<Rates>();
  Toy toy;
  toy.train = std::make_shared<ToyLoader>(steps);
  toy.fit({seen, shipped_plugin("warmup", parameters)});
  return seen->rates;
}

void check_close(const std::vector<double>& found, const std::vector<double>& wanted) {
  REQUIRE(found.size() == wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(wanted[i]));
}

}  // namespace

TEST_CASE("warmup raises the rate along a line, and then leaves it alone") {
  check_close(rates_of(R"({"steps": 4})"), {0.0125, 0.025, 0.0375, 0.05, 0.05, 0.05});
  check_close(rates_of(R"({"steps": 4, "start_factor": 0.2})"),
              {0.02, 0.03, 0.04, 0.05, 0.05, 0.05});
  CHECK(rates_of(R"({"steps": 1})") == std::vector<double>(6, 0.05));
}

TEST_CASE("warmup raises the rate along half a cosine") {
  std::vector<double> wanted;
  for (int n = 1; n <= 4; ++n) wanted.push_back(0.05 * (1 - std::cos(M_PI * n / 4)) / 2);
  wanted.resize(6, 0.05);
  check_close(rates_of(R"({"steps": 4, "shape": "cosine"})"), wanted);
}

TEST_CASE("warmup multiplies what the schedulers make of the rate, and monitors log the product") {
  const auto seen = std::make_shared<Rates>();
  TrainerOptions options = quiet(1);
  options.log_every_n_steps = 1;
  const auto logger = std::make_shared<RowLogger>();
  options.loggers = {logger};
  Scheduled module;
  Trainer trainer(options, {seen, std::make_shared<LearningRateMonitor>(),
                            shipped_plugin("warmup", R"({"steps": 2})")});
  trainer.fit(module, toy_data(4));
  CHECK(seen->options == std::vector<double>{0.5, 0.25, 0.125, 0.0625});
  CHECK(seen->rates == std::vector<double>{0.25, 0.25, 0.125, 0.0625});
  CHECK(logger->values("lr-SGD") == seen->rates);
}

TEST_CASE("optimizer_monitor logs the rate with warmup's factor") {
  Toy toy;
  toy.options.log_every_n_steps = 1;
  const auto logger = std::make_shared<RowLogger>("optimizer/");
  toy.options.loggers = {logger};
  toy.fit({shipped_plugin("warmup", R"({"steps": 4})"),
           shipped_plugin("optimizer_monitor", R"({"update_ratio": "off"})")});
  check_close(logger->values("optimizer/lr"), {0.0125, 0.025, 0.0375, 0.05});
}

TEST_CASE("a training that resumes within its warm-up ends with the same bits") {
  const TempDir directory;
  const auto file = (directory / "a.ckpt").string();
  const auto train = [&](std::int64_t epochs, const std::string& from) {
    Toy toy;
    toy.options.max_epochs = epochs;
    toy.fit({shipped_plugin("warmup", R"({"steps": 6, "shape": "cosine"})")}, {.ckpt_path = from});
    if (epochs == 1) toy.trainer->save_checkpoint(file);
    return toy.module.weight.detach().clone();
  };
  const at::Tensor whole = train(2, "");
  const at::Tensor part = train(1, "");
  CHECK_FALSE(part.equal(whole));
  CHECK(train(2, file).equal(whole));
}

}  // namespace warmup_test
