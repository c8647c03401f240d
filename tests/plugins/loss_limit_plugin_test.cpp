#include <cmath>

#include "catch.h"
#include "sdk/testkit.h"

namespace loss_limit_plugin_test {

using namespace grapnel::test;

namespace {

std::size_t stops_at(double loss) {
  RecordingHost host;
  host.params["limit"] = 10.0;
  PluginFile plugin(LOSS_LIMIT_PLUGIN);
  RunningCallback callback(host, plugin.entry(), "loss_limit");
  FakeOutputs outputs;
  outputs.loss = loss;
  CHECK(callback.train_batch_end(outputs) == GRAPNEL_OK);
  return host.requests.size();
}

}  // namespace

TEST_CASE("loss_limit stops the run for a loss above the limit, and for a NaN") {
  CHECK(stops_at(10) == 0);
  CHECK(stops_at(10.001) == 1);
  CHECK(stops_at(std::nan("")) == 1);
  CHECK(stops_at(HUGE_VAL) == 1);
}

TEST_CASE("loss_limit ignores a step without a loss") {
  RecordingHost host;
  host.params["limit"] = 10.0;
  PluginFile plugin(LOSS_LIMIT_PLUGIN);
  RunningCallback callback(host, plugin.entry(), "loss_limit");
  CHECK(callback.train_batch_end({}) == GRAPNEL_OK);
  CHECK(host.requests.empty());
}

}  // namespace loss_limit_plugin_test
