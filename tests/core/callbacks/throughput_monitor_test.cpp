#include "grapnel/callbacks/throughput_monitor.h"

#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/base/clock.h"
#include "row_logger.h"

namespace throughput_monitor_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

// A training step takes 0.5 s, a validation step 2 s.
class Timed : public ToyModule {
 public:
  explicit Timed(ManualClock& clock) : clock_(clock) {}
  StepOutput training_step(Batch& batch, int64_t index) override {
    clock_.advance(0.5);
    return ToyModule::training_step(batch, index);
  }
  StepOutput validation_step(Batch& batch, int64_t index, int64_t loader) override {
    clock_.advance(2.0);
    return ToyModule::validation_step(batch, index, loader);
  }

 private:
  ManualClock& clock_;
};

struct Fixture {
  void fit(ThroughputMonitorOptions monitor, int64_t epochs = 1, int64_t train = 4,
           int64_t val = 0) {
    TrainerOptions options = quiet(epochs);
    options.clock = &clock;
    options.loggers = {rows};
    options.log_every_n_steps = 1;
    Trainer trainer(options, {std::make_shared<ThroughputMonitor>(std::move(monitor))});
    trainer.fit(module, toy_data(train, val));
  }
  double at(const std::string& name, int64_t step) const { return rows->value(name, step).value(); }
  bool has(const std::string& name) const { return !rows->values(name).empty(); }

  ManualClock clock;
  Timed module{clock};
  std::shared_ptr<RowLogger> rows = std::make_shared<RowLogger>();
};

}  // namespace

TEST_CASE("ThroughputMonitor logs totals from the first batch, rates once its window is full") {
  Fixture fixture;
  fixture.fit({.window_size = 3});
  CHECK(fixture.at("train/time", 0) == 0.5);
  CHECK(fixture.at("train/batches", 3) == 4);
  CHECK(fixture.at("train/samples", 3) == 8);
  CHECK(fixture.rows->values("train/device/samples_per_sec").size() == 2);
  CHECK(fixture.at("train/device/batches_per_sec", 2) == 2.0);
  CHECK(fixture.at("train/device/samples_per_sec", 3) == 4.0);
  CHECK_FALSE(fixture.has("train/lengths"));
}

TEST_CASE("ThroughputMonitor leaves validation out of the training's time") {
  Fixture fixture;
  fixture.fit({.window_size = 2}, /*epochs=*/2, /*train=*/2, /*val=*/2);
  CHECK(fixture.at("train/time", 3) == 2.0);
  CHECK(fixture.at("train/device/batches_per_sec", 2) == 2.0);
  CHECK(fixture.at("validate/device/batches_per_sec", 2) == 0.5);
}

TEST_CASE("ThroughputMonitor counts items, FLOPs and the share of the device's peak") {
  Fixture fixture;
  fixture.module.flops = 1000;
  ThroughputMonitorOptions options{.window_size = 2, .separator = "|", .available_flops = 8000.0};
  options.length_fn = [](const Batch& batch) { return batch[0].numel(); };
  fixture.fit(std::move(options));
  CHECK(fixture.at("train|lengths", 1) == 12);
  CHECK(fixture.at("train|device|items_per_sec", 1) == 12.0);
  CHECK(fixture.at("train|device|flops_per_sec", 1) == 2000.0);
  CHECK(fixture.at("train|device|mfu", 1) == 0.25);
}

TEST_CASE("count_flops counts a batch's FLOPs, forward and backward") {
  Fixture fixture;
  const CapturedLog log;
  fixture.fit({.window_size = 2, .count_flops = true});
  // [2, 3] x [3, 1] forward, and the same again for the weight's gradient; the input needs none.
  CHECK(fixture.at("train/device/flops_per_sec", 1) == 2 * (2 * 2 * 3 * 1) / 0.5);
  CHECK(log.text().find("flops_per_batch") == std::string::npos);
}

TEST_CASE("ThroughputMonitor reports a missing flops_per_batch once") {
  Fixture fixture;
  const CapturedLog log;
  fixture.fit({.window_size = 2});
  const std::string text = log.text();
  const size_t first = text.find("flops_per_batch");
  REQUIRE(first != std::string::npos);
  CHECK(text.find("ThroughputMonitor", first) == std::string::npos);
  CHECK_FALSE(fixture.has("train/device/flops_per_sec"));
}

TEST_CASE("Throughput has no rates, and no error, while the clock stands still") {
  Throughput throughput(2);
  throughput.update(1.0, 1, 2);
  throughput.update(1.0, 2, 4);
  CHECK(throughput.compute().size() == 3);
}

TEST_CASE("invalid options and updates of Throughput are refused") {
  CHECK_THROWS_WITH(ThroughputMonitor({.window_size = 1}),
                    Contains("window_size must be at least 2, found the integer 1"));
  CHECK_THROWS_WITH(ThroughputMonitor({.available_flops = 0.0}), Contains("available_flops"));
  Throughput throughput(2);
  CHECK_THROWS_AS(throughput.compute(), ConfigError);
  CHECK_THROWS_WITH(throughput.update(1, 2, 1), Contains("1 samples in 2 batches"));
  throughput.update(1, 1, 2);
  CHECK_THROWS_WITH(throughput.update(2, 1, 4), Contains("batches must grow"));
}

}  // namespace throughput_monitor_test
