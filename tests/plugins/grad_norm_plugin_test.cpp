#include <cmath>
#include <limits>

#include "catch.h"
#include "sdk/testkit.h"

namespace grad_norm_plugin_test {

using namespace grapnel::test;

namespace {

struct Normed {
  RecordingHost host;
  PluginFile plugin{GRAD_NORM_PLUGIN};

  explicit Normed(double norm_type = 2, std::int64_t every_n_steps = 0, bool per_parameter = true) {
    host.params = {{"norm_type", norm_type},
                   {"every_n_steps", every_n_steps},
                   {"per_parameter", per_parameter}};
    host.parameters = {{"a", FakeTensor::make({0, 0}), FakeTensor::make({3, -4})},
                       {"frozen", FakeTensor::make({0}), nullptr, false},
                       {"b", FakeTensor::make({0}), FakeTensor::make({12})}};
    host.trainer.is_logging_step = 1;
  }

  std::vector<std::pair<std::string, double>> step(std::int64_t optimizer_idx = 0) {
    RunningCallback callback(host, plugin.entry(), "grad_norm");
    grapnel_OptimizerEvent event{};
    event.optimizer_idx = optimizer_idx;
    REQUIRE(callback.fire(GRAPNEL_HOOK_on_before_optimizer_step, event) == GRAPNEL_OK);
    std::vector<std::pair<std::string, double>> logged;
    for (const auto& metric : host.metrics) logged.emplace_back(metric.name, metric.value);
    CHECK(host.live_handles == 0);
    return logged;
  }
};

using Logged = std::vector<std::pair<std::string, double>>;

}  // namespace

TEST_CASE("grad_norm logs the norm of each gradient and of all elements together") {
  CHECK(Normed(2).step() ==
        Logged{{"grad_norm/total", 13}, {"grad_norm/a", 5}, {"grad_norm/b", 12}});
  CHECK(Normed(1).step() ==
        Logged{{"grad_norm/total", 19}, {"grad_norm/a", 7}, {"grad_norm/b", 12}});
  CHECK(Normed(std::numeric_limits<double>::infinity()).step() ==
        Logged{{"grad_norm/total", 12}, {"grad_norm/a", 4}, {"grad_norm/b", 12}});
}

TEST_CASE("grad_norm can log only the total") {
  CHECK(Normed(2, 0, false).step() == Logged{{"grad_norm/total", 13}});
}

TEST_CASE("grad_norm computes nothing on steps that aren't logged") {
  Normed run;
  run.host.trainer.is_logging_step = 0;
  CHECK(run.step().empty());
  CHECK(run.host.calls.empty());
}

TEST_CASE("grad_norm's own interval counts optimizer steps") {
  Normed run(2, 3);
  run.host.trainer.is_logging_step = 0;
  run.host.trainer.global_step = 2;
  CHECK(run.step().empty());
  run.host.trainer.global_step = 3;
  CHECK(run.step().size() == 3);
}

TEST_CASE("grad_norm doesn't log scaled gradients and says so once") {
  Normed run;
  run.host.gradients_unscaled = false;
  CHECK(run.step().empty());
  CHECK(run.step().empty());
  CHECK(run.host.log.size() == 1);
}

TEST_CASE("grad_norm names the metrics of later optimizers by their number") {
  CHECK(Normed(2, 0, false).step(1) == Logged{{"grad_norm/optimizer_1/total", 13}});
}

TEST_CASE("grad_norm logs nothing before the first backward") {
  Normed run;
  for (auto& parameter : run.host.parameters) parameter.grad = nullptr;
  CHECK(run.step().empty());
}

}  // namespace grad_norm_plugin_test
