// The plugin load_monitor in a real training.
#include <ctime>
#include <memory>
#include <string>

#include "catch.h"
#include "grapnel/base/clock.h"
#include "shipped_plugin.h"

namespace load_monitor_test {

using namespace grapnel;
using namespace grapnel::test;

TEST_CASE("load_monitor logs the shares of an epoch's time, and samples by the time of training") {
  ManualClock clock;
  Toy toy;
  toy.options.max_epochs = 2;
  toy.options.clock = &clock;
  // A second for each training step in the first epoch, three in the second; ten to validate.
  int batches = 0;
  toy.module.during_step = [&](const std::string& stage, Batch&) {
    if (stage != "train") return clock.advance(5);
    clock.advance(batches++ < 4 ? 1 : 3);
  };
  toy.fit({shipped_plugin("load_monitor")});
  const MetricDict& metrics = toy.trainer->callback_metrics();
  CHECK(metrics.at("load/forward_share") == Approx(12.0 / 22));
  CHECK(metrics.at("load/validation_share") == Approx(10.0 / 22));
  CHECK(metrics.at("load/backward_share") == 0);
  CHECK(metrics.at("load/samples_per_second") == Approx(8.0 / 12));
  CHECK(metrics.at("load/process_memory_mib") > 1);
  CHECK(metrics.at("load/device_memory_mib") > metrics.at("load/process_memory_mib"));
}

TEST_CASE("load_monitor with a label logs under names of its own") {
  Toy toy;
  toy.options.max_epochs = 1;
  toy.fit({shipped_plugin("load_monitor"), shipped_plugin("load_monitor", "{}", "b")});
  const MetricDict& metrics = toy.trainer->callback_metrics();
  CHECK(metrics.find("load/forward_share") != nullptr);
  CHECK(metrics.find("load_b/forward_share") != nullptr);
  CHECK(metrics.find("load_b/samples_per_second") != nullptr);
  CHECK(metrics.find("load_b/process_memory_mib") != nullptr);
}

TEST_CASE("load_monitor's first device_percent is of the first epoch") {
  // Busy for a twentieth of a second: several of the units that the system counts in.
  const auto work = [] {
    const std::clock_t start = std::clock();
    while (std::clock() - start < CLOCKS_PER_SEC / 20) {
    }
  };
  Toy toy;
  toy.options.max_epochs = 1;
  toy.module.during_step = [&](const std::string&, Batch&) { work(); };
  toy.fit({shipped_plugin("load_monitor")});
  CHECK(toy.trainer->callback_metrics().at("load/device_percent") > 0);
}

}  // namespace load_monitor_test
