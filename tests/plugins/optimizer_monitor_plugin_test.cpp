#include <algorithm>
#include <cmath>

#include "catch.h"
#include "sdk/testkit.h"

namespace optimizer_monitor_plugin_test {

using namespace grapnel::test;

namespace {

using Logged = std::vector<std::pair<std::string, double>>;

/// optimizer_monitor over a model of three parameters, of which one has no gradient.
struct Monitored {
  RecordingHost host;
  PluginFile plugin{OPTIMIZER_MONITOR_PLUGIN};

  explicit Monitored(const std::string& update_ratio = "off", std::int64_t every_n_steps = 0) {
    host.params = {{"every_n_steps", every_n_steps},
                   {"options", std::monostate()},
                   {"update_ratio", update_ratio}};
    host.parameters = {{"weight", FakeTensor::make({3, 4}), FakeTensor::make({1, 1})},
                       {"frozen", FakeTensor::make({100}), nullptr, false},
                       {"bias", FakeTensor::make({0, 0}), FakeTensor::make({1, 1})}};
    host.optimizers = {{"SGD", {{{"lr", 0.5}, {"momentum", 0.9}, {"weight_decay", 0.01}}}}};
    host.trainer.is_logging_step = 1;
  }

  /// One step, which adds 3 and 4 to the weight and as much to the bias.
  Logged step(RunningCallback& monitor, std::int64_t optimizer_idx = 0) {
    host.metrics.clear();
    grapnel_OptimizerEvent event{};
    event.optimizer_idx = optimizer_idx;
    REQUIRE(monitor.fire(GRAPNEL_HOOK_on_before_optimizer_step, event) == GRAPNEL_OK);
    for (const std::size_t i : {0, 2}) {
      host.parameters[i].tensor->values[0] += 3;
      host.parameters[i].tensor->values[1] += 4;
    }
    REQUIRE(monitor.fire(GRAPNEL_HOOK_on_after_optimizer_step, event) == GRAPNEL_OK);
    ++host.trainer.global_step;
    Logged logged;
    for (const auto& metric : host.metrics) logged.emplace_back(metric.name, metric.value);
    return logged;
  }
};

}  // namespace

TEST_CASE("optimizer_monitor logs those of its options that the optimizer has") {
  Monitored run;
  RunningCallback monitor(run.host, run.plugin.entry(), "optimizer_monitor");
  CHECK(run.step(monitor) == Logged{{"optimizer/lr", 0.5}, {"optimizer/momentum", 0.9}});
  run.host.optimizers[0].groups[0] = {{"beta1", 0.8}, {"beta2", 0.99}, {"lr", 0.1}};
  CHECK(run.step(monitor) ==
        Logged{{"optimizer/lr", 0.1}, {"optimizer/beta1", 0.8}, {"optimizer/beta2", 0.99}});
  CHECK(run.host.calls.empty());
}

TEST_CASE("optimizer_monitor numbers several groups and later optimizers") {
  Monitored run;
  run.host.optimizers[0].groups.push_back({{"lr", 0.25}});
  run.host.optimizers.push_back({"Adam", {{{"lr", 0.125}}}});
  RunningCallback monitor(run.host, run.plugin.entry(), "optimizer_monitor");
  CHECK(run.step(monitor) == Logged{{"optimizer/group_0/lr", 0.5},
                                    {"optimizer/group_0/momentum", 0.9},
                                    {"optimizer/group_1/lr", 0.25}});
  CHECK(run.step(monitor, 1) == Logged{{"optimizer_1/lr", 0.125}});
}

TEST_CASE("optimizer_monitor logs other options on request and reports one that no optimizer has") {
  Monitored run;
  run.host.params["options"] = std::vector<std::string>{"weight_decay", "learning_rate"};
  RunningCallback monitor(run.host, run.plugin.entry(), "optimizer_monitor");
  REQUIRE(monitor.fire<grapnel_Event>(GRAPNEL_HOOK_on_train_start) == GRAPNEL_OK);
  CHECK(run.host.log ==
        std::vector<std::string>{"warning: no optimizer has the option 'learning_rate'; it is not "
                                 "logged. The options are: lr, momentum, weight_decay"});
  CHECK(run.step(monitor) == Logged{{"optimizer/weight_decay", 0.01}});
}

TEST_CASE(
    "optimizer_monitor's ratio is the norm of a step's change over that of the weights before") {
  Monitored run("total");
  RunningCallback monitor(run.host, run.plugin.entry(), "optimizer_monitor");
  const Logged first = run.step(monitor);
  REQUIRE(first.size() == 3);
  CHECK(first[2].first == "update_ratio/total");
  CHECK(first[2].second == Approx(std::sqrt(50.0) / 5));  // the bias was zero
  CHECK(run.step(monitor)[2].second == Approx(std::sqrt(50.0) / std::sqrt(125.0)));
}

TEST_CASE(
    "optimizer_monitor can log the ratio per parameter, except for parameters that are zero") {
  Monitored run("per_parameter");
  RunningCallback monitor(run.host, run.plugin.entry(), "optimizer_monitor");
  const Logged first = run.step(monitor);
  REQUIRE(first.size() == 4);
  CHECK(first[2] == std::pair<std::string, double>("update_ratio/weight", 1.0));
  CHECK(first[3].first == "update_ratio/total");
  const Logged second = run.step(monitor);
  REQUIRE(second.size() == 5);
  CHECK(second[2] == std::pair<std::string, double>("update_ratio/weight", 0.5));
  CHECK(second[3] == std::pair<std::string, double>("update_ratio/bias", 1.0));
}

TEST_CASE("optimizer_monitor logs no ratio for weights that are all zero") {
  Monitored run("per_parameter");
  run.host.parameters[0].tensor->values = {0, 0};
  RunningCallback monitor(run.host, run.plugin.entry(), "optimizer_monitor");
  CHECK(run.step(monitor).size() == 2);
}

TEST_CASE("optimizer_monitor names the ratios of later optimizers by their number") {
  Monitored run("total");
  run.host.optimizers.push_back({"Adam", {{{"lr", 0.125}}}});
  RunningCallback monitor(run.host, run.plugin.entry(), "optimizer_monitor");
  CHECK(run.step(monitor, 1)[1].first == "update_ratio/optimizer_1/total");
}

TEST_CASE("optimizer_monitor reads the norms of weights on the CPU where they lie") {
  Monitored run("total");
  RunningCallback monitor(run.host, run.plugin.entry(), "optimizer_monitor");
  run.step(monitor);
  run.host.calls.clear();
  CHECK(run.step(monitor).back().second == Approx(std::sqrt(50.0 / 125)));
  CHECK(run.host.calls ==
        std::vector<std::string>{"aten::_foreach_copy_", "aten::_foreach_sub_.List"});
}

TEST_CASE(
    "optimizer_monitor copies the weights once per measured step, in one call after the first") {
  Monitored run("total");
  for (FakeParameter& parameter : run.host.parameters) {
    parameter.tensor->device_type = GRAPNEL_DEVICE_CUDA;
  }
  RunningCallback monitor(run.host, run.plugin.entry(), "optimizer_monitor");
  run.step(monitor);
  run.host.calls.clear();
  run.step(monitor);
  CHECK(run.host.calls ==
        std::vector<std::string>{"aten::_foreach_copy_", "aten::_foreach_norm.Scalar",
                                 "aten::_foreach_sub_.List", "aten::_foreach_norm.Scalar",
                                 "aten::stack", "aten::to.dtype", "aten::stack", "aten::to.dtype"});
}

TEST_CASE("optimizer_monitor follows parameters that change between steps") {
  Monitored run("per_parameter");
  RunningCallback monitor(run.host, run.plugin.entry(), "optimizer_monitor");
  run.step(monitor);
  run.host.parameters[2].grad = nullptr;  // no gradient any more
  CHECK(run.step(monitor).size() == 4);
  run.host.parameters[0].tensor = FakeTensor::make({30, 40});
  ++run.host.generation;
  CHECK(run.step(monitor)[2] == std::pair<std::string, double>("update_ratio/weight", 0.1));
}

TEST_CASE("optimizer_monitor counts only the remaining elements of a pruned parameter") {
  Monitored run("total");
  run.host.parameters[0].mask = FakeTensor::make({0, 1});
  RunningCallback monitor(run.host, run.plugin.entry(), "optimizer_monitor");
  run.host.parameters[2].grad = nullptr;
  CHECK(run.step(monitor)[2].second == Approx(4.0 / 4));
  REQUIRE(monitor.fire(GRAPNEL_HOOK_on_before_optimizer_step, grapnel_OptimizerEvent{}) ==
          GRAPNEL_OK);
  run.host.parameters[0].tensor->values = {0, 10};  // masked again, as manual optimization has it
  run.host.metrics.clear();
  REQUIRE(monitor.fire(GRAPNEL_HOOK_on_after_optimizer_step, grapnel_OptimizerEvent{}) ==
          GRAPNEL_OK);
  REQUIRE(run.host.metrics.size() == 1);
  CHECK(run.host.metrics[0].value == Approx(2.0 / 8));
}

TEST_CASE(
    "optimizer_monitor does nothing on steps that aren't logged; its interval counts optimizer "
    "steps") {
  Monitored run("total", 0);
  run.host.trainer.is_logging_step = 0;
  {
    RunningCallback monitor(run.host, run.plugin.entry(), "optimizer_monitor");
    CHECK(run.step(monitor).empty());
    CHECK(run.host.calls.empty());
  }
  run.host.params["every_n_steps"] = std::int64_t{3};
  run.host.trainer.global_step = 2;
  RunningCallback monitor(run.host, run.plugin.entry(), "optimizer_monitor");
  CHECK(run.step(monitor).empty());
  CHECK(run.step(monitor).size() == 3);
}

TEST_CASE("optimizer_monitor logs the ratio of a step after which its run failed before its hook") {
  Monitored run("total");
  run.host.parameters[0].mask = FakeTensor::make({0, 1});
  run.host.parameters[2].grad = nullptr;
  grapnel_OptimizerEvent event{};
  RecordedState saved;
  {
    RunningCallback failed(run.host, run.plugin.entry(), "optimizer_monitor");
    CHECK(failed.save().entries.empty());
    REQUIRE(failed.fire(GRAPNEL_HOOK_on_before_optimizer_step, event) == GRAPNEL_OK);
    saved = failed.save();
    CHECK(saved.entries.size() == 1);
  }
  run.host.parameters[0].tensor->values = {6, 8};
  run.host.parameters[0].grad = nullptr;  // a resumed run has none of the step's
  run.host.metrics.clear();
  RunningCallback resumed(run.host, run.plugin.entry(), "optimizer_monitor");
  REQUIRE(resumed.load(saved) == GRAPNEL_OK);
  CHECK(resumed.save().entries.size() == 1);
  REQUIRE(resumed.fire(GRAPNEL_HOOK_on_after_optimizer_step, event) == GRAPNEL_OK);
  REQUIRE(run.host.metrics.size() == 1);
  CHECK(run.host.metrics[0].name == "update_ratio/total");
  CHECK(run.host.metrics[0].value == Approx(4.0 / 4));
  CHECK(resumed.save().entries.empty());
  run.host.parameters[0].grad = FakeTensor::make({1, 1});
  CHECK(run.step(resumed)[2].second == Approx(4.0 / 8));
}

TEST_CASE("optimizer_monitor measures a step anew that is made again after a resume") {
  Monitored run("total");
  RunningCallback failed(run.host, run.plugin.entry(), "optimizer_monitor");
  REQUIRE(failed.fire(GRAPNEL_HOOK_on_before_optimizer_step, grapnel_OptimizerEvent{}) ==
          GRAPNEL_OK);
  RunningCallback resumed(run.host, run.plugin.entry(), "optimizer_monitor");
  REQUIRE(resumed.load(failed.save()) == GRAPNEL_OK);
  run.host.parameters[0].tensor->values = {30, 40};
  run.host.parameters[2].grad = nullptr;
  CHECK(run.step(resumed)[2].second == Approx(5.0 / 50));
}

TEST_CASE("optimizer_monitor leaks no tensor handle") {
  Monitored run("per_parameter");
  {
    RunningCallback monitor(run.host, run.plugin.entry(), "optimizer_monitor");
    run.step(monitor);
    run.step(monitor);
  }
  CHECK(run.host.live_handles == 0);
}

}  // namespace optimizer_monitor_plugin_test
