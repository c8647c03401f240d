#include "grapnel/callbacks/device_stats_monitor.h"

#include "../support/scripted.h"
#include "catch.h"
#include "row_logger.h"

namespace device_stats_monitor_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

TrainerOptions with(std::shared_ptr<RowLogger> logger, int64_t every = 1) {
  TrainerOptions options = quiet(1);
  options.loggers = {std::move(logger)};
  options.log_every_n_steps = every;
  return options;
}

Logger::Metrics fixed() {
  return {{"cpu_percent", 2}, {"cpu_vm_percent", 1}};
}

}  // namespace

TEST_CASE("DeviceStatsMonitor logs statistics at the start and end of each logged batch") {
  const auto logger = std::make_shared<RowLogger>("DeviceStatsMonitor");
  Trainer trainer(
      with(logger, 2),
      {std::make_shared<DeviceStatsMonitor>(DeviceStatsMonitorOptions{.cpu_source = fixed})});
  ToyModule module;
  trainer.fit(module, toy_data(4, 0));
  REQUIRE(logger->rows.size() == 8);
  CHECK(logger->rows[0].name == "DeviceStatsMonitor.on_train_batch_start/cpu_percent");
  CHECK(logger->rows[0].value == 2);
  CHECK(logger->rows[0].step == 1);
  CHECK(logger->rows[2].name == "DeviceStatsMonitor.on_train_batch_end/cpu_percent");
  CHECK(logger->rows[7].step == 3);
}

TEST_CASE("DeviceStatsMonitor's names use the logger's separator, and filter_keys selects some") {
  const auto logger = std::make_shared<RowLogger>("DeviceStatsMonitor");
  logger->separator = ".";
  const CapturedLog log;
  Trainer trainer(
      with(logger),
      {std::make_shared<DeviceStatsMonitor>(DeviceStatsMonitorOptions{
          .filter_keys = {{"cpu_vm_percent", "cpu_percentage"}}, .cpu_source = fixed})});
  ToyModule module;
  trainer.fit(module, toy_data(1, 0));
  REQUIRE(logger->rows.size() == 2);
  CHECK(logger->rows[1].name == "DeviceStatsMonitor.on_train_batch_end.cpu_vm_percent");
  CHECK_THAT(log.text(), Contains("'cpu_percentage'") && Contains("did you mean 'cpu_percent'"));
}

TEST_CASE(
    "DeviceStatsMonitor reads nothing on a CPU with cpu_stats=false, and nothing in predict") {
  const auto logger = std::make_shared<RowLogger>("DeviceStatsMonitor");
  int readings = 0;
  const auto count = [&readings]() -> Logger::Metrics {
    ++readings;
    return fixed();
  };
  ToyModule module;
  Trainer off(with(logger), {std::make_shared<DeviceStatsMonitor>(DeviceStatsMonitorOptions{
                                .cpu_stats = false, .cpu_source = count})});
  off.fit(module, toy_data(2, 1));
  CHECK(readings == 0);
  Trainer on(
      with(logger),
      {std::make_shared<DeviceStatsMonitor>(DeviceStatsMonitorOptions{.cpu_source = count})});
  on.predict(module, Data(std::make_shared<ToyLoader>(2)));
  CHECK(readings == 0);
  on.validate(module, Data(std::make_shared<ToyLoader>(2)));
  CHECK(readings == 4);
}

TEST_CASE("DeviceStatsMonitor refuses a fit without a logger, an evaluation logs nothing") {
  ToyModule module;
  Trainer trainer(quiet(1), {std::make_shared<DeviceStatsMonitor>()});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data()),
                    Contains("DeviceStatsMonitor") && Contains("logger"));
  CHECK_NOTHROW(trainer.validate(module, Data(std::make_shared<ToyLoader>(1))));
}

#ifdef __linux__
TEST_CASE("host statistics are percentages, and CPU load grows with work") {
  const auto logger = std::make_shared<RowLogger>("DeviceStatsMonitor");
  class Busy : public ToyModule {
   public:
    StepOutput training_step(Batch& batch, int64_t index) override {
      at::Tensor work = at::ones({200, 200});
      for (int i = 0; i < 200; ++i) work = work.mm(work).clamp(0, 1);
      return ToyModule::training_step(batch, index);
    }
  } module;
  Trainer trainer(with(logger), {std::make_shared<DeviceStatsMonitor>()});
  trainer.fit(module, toy_data(3, 0));
  REQUIRE(logger->rows.size() == 18);
  double most = 0;
  for (const RowLogger::Row& row : logger->rows) {
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
