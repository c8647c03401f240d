#include "grapnel/callbacks/device_stats_monitor.h"

#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/loggers/memory_logger.h"

namespace device_stats_monitor_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

struct Row {
  std::string name;
  double value;
  int64_t step;
};

// Keeps what was logged under the monitor's name.
class Keeper final : public Logger {
 public:
  std::string name() const override { return "keeper"; }
  std::string version() const override { return "version_0"; }
  void log_metrics(const Metrics& metrics, int64_t step) override {
    for (const auto& [name, value] : metrics) {
      if (name.starts_with("DeviceStatsMonitor")) rows.push_back({name, value, step});
    }
  }
  std::string group_separator() const override { return separator; }
  std::vector<Row> rows;
  std::string separator = "/";
};

TrainerOptions with(std::shared_ptr<Keeper> keeper, int64_t every = 1) {
  TrainerOptions options = quiet(1);
  options.loggers = {std::move(keeper)};
  options.log_every_n_steps = every;
  return options;
}

Logger::Metrics fixed() {
  return {{"cpu_percent", 2}, {"cpu_vm_percent", 1}};
}

}  // namespace

TEST_CASE("each logged batch has the numbers at its start and its end") {
  const auto keeper = std::make_shared<Keeper>();
  Trainer trainer(
      with(keeper, 2),
      {std::make_shared<DeviceStatsMonitor>(DeviceStatsMonitorOptions{.cpu_source = fixed})});
  ToyModule module;
  trainer.fit(module, toy_data(4, 0));
  REQUIRE(keeper->rows.size() == 8);
  CHECK(keeper->rows[0].name == "DeviceStatsMonitor.on_train_batch_start/cpu_percent");
  CHECK(keeper->rows[0].value == 2);
  CHECK(keeper->rows[0].step == 1);
  CHECK(keeper->rows[2].name == "DeviceStatsMonitor.on_train_batch_end/cpu_percent");
  CHECK(keeper->rows[7].step == 3);
}

TEST_CASE("the logger's separator stands in the names, and filter_keys keeps some of them") {
  const auto keeper = std::make_shared<Keeper>();
  keeper->separator = ".";
  const CapturedLog log;
  Trainer trainer(
      with(keeper),
      {std::make_shared<DeviceStatsMonitor>(DeviceStatsMonitorOptions{
          .filter_keys = {{"cpu_vm_percent", "cpu_percentage"}}, .cpu_source = fixed})});
  ToyModule module;
  trainer.fit(module, toy_data(1, 0));
  REQUIRE(keeper->rows.size() == 2);
  CHECK(keeper->rows[1].name == "DeviceStatsMonitor.on_train_batch_end.cpu_vm_percent");
  CHECK_THAT(log.text(), Contains("'cpu_percentage'") && Contains("did you mean 'cpu_percent'"));
}

TEST_CASE("cpu_stats=false logs nothing on a CPU; nothing is read in predict") {
  const auto keeper = std::make_shared<Keeper>();
  int readings = 0;
  const auto count = [&readings]() -> Logger::Metrics {
    ++readings;
    return fixed();
  };
  ToyModule module;
  Trainer off(with(keeper), {std::make_shared<DeviceStatsMonitor>(DeviceStatsMonitorOptions{
                                .cpu_stats = false, .cpu_source = count})});
  off.fit(module, toy_data(2, 1));
  CHECK(readings == 0);
  Trainer on(
      with(keeper),
      {std::make_shared<DeviceStatsMonitor>(DeviceStatsMonitorOptions{.cpu_source = count})});
  on.predict(module, Data(std::make_shared<ToyLoader>(2)));
  CHECK(readings == 0);
  on.validate(module, Data(std::make_shared<ToyLoader>(2)));
  CHECK(readings == 4);
}

TEST_CASE("without a logger a fit is refused, an evaluation logs nothing") {
  ToyModule module;
  Trainer trainer(quiet(1), {std::make_shared<DeviceStatsMonitor>()});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data()),
                    Contains("DeviceStatsMonitor") && Contains("logger"));
  CHECK_NOTHROW(trainer.validate(module, Data(std::make_shared<ToyLoader>(1))));
}

#ifdef __linux__
TEST_CASE("the system's numbers are percentages, and the CPU's grow with work") {
  const auto keeper = std::make_shared<Keeper>();
  class Busy : public ToyModule {
   public:
    StepOutput training_step(Batch& batch, int64_t index) override {
      at::Tensor work = at::ones({200, 200});
      for (int i = 0; i < 200; ++i) work = work.mm(work).clamp(0, 1);
      return ToyModule::training_step(batch, index);
    }
  } module;
  Trainer trainer(with(keeper), {std::make_shared<DeviceStatsMonitor>()});
  trainer.fit(module, toy_data(3, 0));
  REQUIRE(keeper->rows.size() == 18);
  double most = 0;
  for (const Row& row : keeper->rows) {
    CAPTURE(row.name, row.value);
    CHECK(row.value >= 0.0);
    CHECK(row.value <= 100.0);
    if (row.name == "DeviceStatsMonitor.on_train_batch_end/cpu_percent") {
      most = std::max(most, row.value);
    }
    if (row.name.ends_with("cpu_vm_percent")) CHECK(row.value > 0.0);
  }
  CHECK(most > 0.0);
}
#endif

}  // namespace device_stats_monitor_test
