// What log() makes visible, to whom, and when.
#include "../support/recorder.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "toy.h"

namespace metrics_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// A module that logs by a function in training_step.
class Logging : public ToyModule {
 public:
  std::function<void(Logging&, int64_t)> in_training_step;
  StepOutput training_step(Batch& batch, int64_t batch_idx) override {
    if (in_training_step) in_training_step(*this, batch_idx);
    return (forward(batch[0]) - batch[1]).pow(2).mean();
  }
};

void fit(Logging& module, std::vector<CallbackHandle> callbacks = {}) {
  Trainer trainer(quiet(1), std::move(callbacks));
  trainer.fit(module, toy_data());
}

}  // namespace

TEST_CASE("a metric's mean over the epoch is weighted by the batch size") {
  Logging module;
  module.in_training_step = [](Logging& self, int64_t i) {
    self.log("m", static_cast<double>(i),
             {.on_step = false, .on_epoch = true, .batch_size = i + 1});
  };
  Trainer trainer(quiet(1));
  trainer.fit(module, toy_data(3));
  CHECK(trainer.callback_metrics().at("m") == Approx((0 * 1 + 1 * 2 + 2 * 3) / 6.0));
}

TEST_CASE(
    "a metric logged per step and epoch has _step and _epoch names, and monitors see the bare name "
    "too") {
  Logging module;
  module.in_training_step = [](Logging& self, int64_t i) {
    self.log("m", at::scalar_tensor(static_cast<double>(i)), {.on_step = true, .on_epoch = true});
  };
  Trainer trainer(quiet(1));
  trainer.fit(module, toy_data(3));
  CHECK(trainer.callback_metrics().at("m_step") == 2.0);
  CHECK(trainer.callback_metrics().at("m_epoch") == 1.0);
  CHECK(trainer.callback_metrics().at("m") == 1.0);
}

TEST_CASE("metrics can be reduced over the epoch by sum, min and max") {
  Logging module;
  module.in_training_step = [](Logging& self, int64_t i) {
    const double v = i == 1 ? 5.0 : 2.0;
    self.log("sum", v, {.on_step = false, .on_epoch = true, .reduce = Reduce::sum});
    self.log("min", v, {.on_step = false, .on_epoch = true, .reduce = Reduce::min});
    self.log("max", v, {.on_step = false, .on_epoch = true, .reduce = Reduce::max});
  };
  Trainer trainer(quiet(1));
  trainer.fit(module, toy_data(3));
  CHECK(trainer.callback_metrics().at("sum") == 9.0);
  CHECK(trainer.callback_metrics().at("min") == 2.0);
  CHECK(trainer.callback_metrics().at("max") == 5.0);
}

TEST_CASE("logging where it has no meaning is refused, naming the metric and the hook") {
  class Early : public Callback {
   public:
    void on_fit_start(Event& event) override { log(event, "m", 1.0); }
  };
  Logging module;
  CHECK_THROWS_WITH(fit(module, {std::make_shared<Early>()}),
                    Catch::Contains("'m'") && Catch::Contains("on_fit_start"));
}

TEST_CASE("logging one name twice in a function with different options is refused") {
  Logging module;
  module.in_training_step = [](Logging& self, int64_t) {
    self.log("m", 1.0, {.prog_bar = true});
    self.log("m", 1.0, {.prog_bar = false});
  };
  CHECK_THROWS_WITH(fit(module), Catch::Contains("'m'") && Catch::Contains("training_step"));
}

TEST_CASE("logging a value that isn't one number is refused") {
  Logging module;
  module.in_training_step = [](Logging& self, int64_t) { self.log("m", at::ones({3})); };
  CHECK_THROWS_WITH(fit(module), Catch::Contains("3 elements"));
}

TEST_CASE("the error about a missing metric names the nearest one") {
  MetricDict metrics;
  metrics.set("val_loss", 1.0, 0);
  try {
    (void)metrics.at("val_los");
    FAIL("found what isn't there");
  } catch (const MetricError& error) {
    CHECK_THAT(error.what(), Catch::Contains("did you mean 'val_loss'?"));
    CHECK(error.metric == "val_los");
    CHECK(error.available == std::vector<std::string>{"val_loss"});
  }
}

TEST_CASE("each metric has the step at which it was logged") {
  Logging module;
  module.in_training_step = [](Logging& self, int64_t i) {
    if (i == 0) self.log("once", 1.0);
    self.log("always", 1.0);
  };
  Trainer trainer(quiet(1));
  trainer.fit(module, toy_data(3));
  CHECK(trainer.callback_metrics().find("once")->global_step == 0);
  CHECK(trainer.callback_metrics().find("always")->global_step == 2);
}

TEST_CASE("metrics of a failed validation are not in the next fit's") {
  class Net final : public ToyModule {
   public:
    StepOutput validation_step(Batch&, int64_t index, int64_t) override {
      if (fails && index == 1) throw std::runtime_error("in validation");
      log("m", fails ? 100.0 : 1.0);
      return {};
    }
    bool fails = true;
  };
  Net module;
  Trainer trainer(quiet(1));
  CHECK_THROWS_WITH(trainer.fit(module, toy_data()), "in validation");
  module.fails = false;
  trainer.fit(module, toy_data());
  CHECK(trainer.callback_metrics().at("m") == 1.0);
}

}  // namespace metrics_test
