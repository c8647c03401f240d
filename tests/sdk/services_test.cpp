// What events give: the run, metrics, requests, batches, the model, optimizers.
#include <functional>
#include <thread>
#include <utility>

#include "catch.h"
#include "wrapped.h"

namespace services_test {

using namespace grapnel::test;
using grapnel::plugin::Callback;
using grapnel::plugin::Lease;
using grapnel::plugin::LogOptions;
using grapnel::plugin::Stage;
using grapnel::plugin::Tensor;
using grapnel::plugin::TensorList;

namespace {

using Body = std::function<void(Callback::TrainBatchStart&)>;
Body body;

struct Runner final : Callback {
  void on_train_batch_start(TrainBatchStart& event) override { body(event); }
};

std::int32_t run(RecordingHost& host, Body what, FakeBatch batch = {}) {
  body = std::move(what);
  RunningCallback running(host, plugin_of<Runner>(), "it");
  grapnel_TrainBatchStart event{};
  event.batch = reinterpret_cast<grapnel_batch*>(&batch);
  event.batch_idx = 5;
  return running.fire(GRAPNEL_HOOK_on_train_batch_start, event);
}

}  // namespace

TEST_CASE("events give the run's epoch, step and stage") {
  RecordingHost host;
  host.trainer.global_step = 12;
  host.trainer.current_epoch = 3;
  host.trainer.batch_idx = 4;
  host.trainer.max_steps = 100;
  host.trainer.max_time = 7200.5;
  host.trainer.is_last_batch = 1;
  host.trainer.is_logging_step = 1;
  host.run_directory = "/runs/7";
  CHECK(run(host, [](auto& event) {
          CHECK(event.global_step() == 12);
          CHECK(event.current_epoch() == 3);
          CHECK(event.batch_idx() == 5);  // the event's own
          CHECK(event.Services::batch_idx() == 4);
          CHECK(event.max_steps() == 100);
          CHECK(event.max_time() == 7200.5);
          CHECK_FALSE(event.max_epochs().has_value());
          CHECK(event.is_last_batch());
          CHECK(event.is_logging_step());
          CHECK(event.stage() == Stage::train);
          CHECK(event.run_directory() == "/runs/7");
          CHECK(event.host_version() == "0.1.0");
        }) == GRAPNEL_OK);
}

TEST_CASE("a plugin reads who it is and where it may write") {
  RecordingHost host;
  CHECK(run(host, [](auto& event) {
          const auto info = event.plugin_info();
          CHECK(info.id == "probe");
          CHECK(info.version == "1.2.3");
          CHECK(info.callback == "it");
          CHECK(info.label == "slow");
          CHECK(info.origin_directory == "/plugins");
          CHECK(info.libtorch_version == "2.15.0");
          CHECK(event.data_directory() == "/data/probe");
        }) == GRAPNEL_OK);
}

TEST_CASE("a plugin's metrics are logged with their options and can be read back") {
  RecordingHost host;
  host.trainer.global_step = 9;
  CHECK(run(host, [](auto& event) {
          event.log("plain", 1.5);
          LogOptions options;
          options.prog_bar = true;
          options.on_epoch = true;
          options.batch_size = 32;
          event.log("rich", event.tensor({2.5}), options);
          CHECK(event.metric("rich")->value == 2.5);
          CHECK(event.metric("rich")->global_step == 9);
          CHECK_FALSE(event.metric("none").has_value());
          CHECK(event.metric_names() == std::vector<std::string>{"plain", "rich"});
        }) == GRAPNEL_OK);
  REQUIRE(host.metrics.size() == 2);
  CHECK(host.metrics[0].flags == 0);
  CHECK(host.metrics[1].flags == (GRAPNEL_METRIC_PROG_BAR | GRAPNEL_METRIC_ON_EPOCH));
  CHECK(host.metrics[1].batch_size == 32);
  CHECK(host.live_handles == 0);
}

TEST_CASE("a plugin's requests have their reason") {
  RecordingHost host;
  CHECK(run(host, [](auto& event) {
          event.request_stop("a");
          event.request_skip_batch("b");
          event.request_end_epoch("c");
          event.request_evaluate("d");
          event.request_save("e");
        }) == GRAPNEL_OK);
  std::string all;
  for (const auto& request : host.requests) all += std::to_string(request.kind) + request.reason;
  CHECK(all == "1a2b4c5d6e");
}

TEST_CASE("a plugin reads a batch's tensors and can replace one") {
  RecordingHost host;
  FakeBatch batch;
  batch.names = {"x", "y"};
  batch.tensors = {FakeTensor::make({1, 2}), FakeTensor::make({3})};
  batch.sample_indices = {10, 11};
  CHECK(run(
            host,
            [](auto& event) {
              auto seen = event.batch();
              REQUIRE(seen.size() == 2);
              CHECK(seen.name(1) == "y");
              CHECK(seen[0].to_vector() == std::vector<double>{1, 2});
              CHECK(seen.sample_indices() == std::vector<std::int64_t>{10, 11});
              seen.replace(0, event.tensor({7}));
              CHECK(event.batch()[0].item() == 7);
              CHECK_THROWS_AS(seen[2], grapnel::plugin::Error);
            },
            batch) == GRAPNEL_OK);
  CHECK(host.live_handles == 0);
}

TEST_CASE("a plugin gets parameters in the model's order, with gradients if there are any") {
  RecordingHost host;
  host.parameters = {{"a.weight", FakeTensor::make({1, 2}), FakeTensor::make({3, 4})},
                     {"a.bias", FakeTensor::make({5}), nullptr, false}};
  host.buffers = {{"a.mean", FakeTensor::make({0}), nullptr}};
  CHECK(run(host, [](auto& event) {
          std::string names;
          for (const auto& parameter : event.parameters()) {
            names += std::string(parameter.name()) + (parameter.trainable() ? "+" : "-") +
                     (parameter.grad().defined() ? "g " : " ");
          }
          CHECK(names == "a.weight+g a.bias- ");
          CHECK(event.buffers().size() == 1);
          CHECK_FALSE(event.buffers()[0].trainable());
          const TensorList live = event.parameters().tensors();
          REQUIRE(live.size() == 2);
          live[1].fill_(8);
          CHECK(event.parameters()[1].tensor().item() == 8);
        }) == GRAPNEL_OK);
  CHECK(host.parameters[1].tensor->values[0] == 8);
  CHECK(host.live_handles == 0);
}

TEST_CASE("a plugin's lease swaps weights until it ends or its object is destroyed") {
  RecordingHost host;
  host.parameters = {{"w", FakeTensor::make({1}), nullptr}};
  host.buffers = {{"b", FakeTensor::make({2}), nullptr}};
  CHECK(run(host, [](auto& event) {
          auto value = [&event] { return event.parameters()[0].tensor().item(); };
          TensorList other;
          other.push_back(event.parameters()[0].tensor().clone().fill_(10));
          other.push_back(event.buffers()[0].tensor().clone().fill_(20));
          {
            Lease lease = event.lease_weights({0}, {0}, other, "a test");
            CHECK(lease);
            CHECK(value() == 10);
            lease.end();
            CHECK_FALSE(lease);
            CHECK(value() == 1);
            lease.end();  // again: nothing
          }
          {
            Lease lease = event.lease_weights({0}, {0}, other, "a test");
            Lease moved = std::move(lease);
            CHECK(value() == 10);
          }
          CHECK(value() == 1);
          CHECK_THROWS_WITH(event.lease_weights({0}, {}, other, "too many"),
                            "a lease of 1 weights got 2 tensors");
        }) == GRAPNEL_OK);
  CHECK(host.live_handles == 0);
}

TEST_CASE("the last of a plugin's leases of an entry counts, and they can end in any order") {
  RecordingHost host;
  host.parameters = {{"w", FakeTensor::make({1}), nullptr}, {"v", FakeTensor::make({2}), nullptr}};
  CHECK(run(host, [&host](auto& event) {
          const auto values = [&event] {
            return std::vector<double>{event.parameters()[0].tensor().item(),
                                       event.parameters()[1].tensor().item()};
          };
          using Values = std::vector<double>;
          const auto lease = [&event](std::vector<std::uint64_t> indices, double value) {
            TensorList other;
            for (const auto i : indices) {
              other.push_back(event.parameters()[i].tensor().clone().fill_(value));
            }
            return event.lease_weights(indices, {}, other, "lease " + std::to_string(int(value)));
          };
          Lease first = lease({0}, 10);
          Lease second = lease({0, 1}, 20);
          Lease third = lease({0}, 30);
          CHECK(values() == Values{30, 20});
          CHECK(host.lease_reason == "lease 30");
          second.end();
          CHECK(values() == Values{30, 2});
          third.end();
          CHECK(values() == Values{10, 2});
          CHECK(host.lease_reason == "lease 10");
          first.end();
          CHECK(values() == Values{1, 2});
          CHECK(host.lease_reason.empty());
          event.parameters()[0].tensor().fill_(5);  // is the model's own again
          Lease undone = lease({0}, 40);
          host.end_leases();
          CHECK(values() == Values{5, 2});
          undone.end();
        }) == GRAPNEL_OK);
  CHECK(host.live_handles == 0);
}

TEST_CASE("a pruned parameter has a mask, another one and a buffer have none") {
  RecordingHost host;
  host.parameters = {{"a.weight", FakeTensor::make({1, 2}), nullptr},
                     {"b.weight", FakeTensor::make({3}), nullptr}};
  host.parameters[0].mask = FakeTensor::make({1, 0});
  host.buffers = {{"b.weight_mask", FakeTensor::make({1}), nullptr}};
  CHECK(run(host, [&](auto& event) {
          const auto mask = event.parameters()[0].mask();
          CHECK(mask.to_vector() == std::vector<double>{1, 0});
          host.parameters[0].mask->values = {0, 0};
          CHECK(mask.to_vector() == std::vector<double>{0, 0});
          CHECK_FALSE(event.parameters()[1].mask().defined());
          CHECK_FALSE(event.buffers()[0].mask().defined());
        }) == GRAPNEL_OK);
  CHECK(host.live_handles == 0);
}

TEST_CASE("options of optimizers are read and set by name") {
  RecordingHost host;
  host.optimizers = {{"SGD", {{{"lr", 0.1}, {"momentum", 0.9}}, {{"lr", 0.01}}}}};
  host.gradients_unscaled = false;
  CHECK(run(host, [](auto& event) {
          const auto optimizers = event.optimizers();
          REQUIRE(optimizers.size() == 1);
          CHECK(optimizers[0].name() == "SGD");
          auto groups = optimizers[0].groups();
          REQUIRE(groups.size() == 2);
          CHECK(groups[0].option("lr") == 0.1);
          CHECK_FALSE(groups[1].option("momentum").has_value());
          CHECK(groups[0].option_names() == std::vector<std::string>{"lr", "momentum"});
          groups[1].set_option("lr", 0.5);
          CHECK_THROWS_WITH(groups[1].set_option("lrr", 1), "setting option lrr: there is none");
          CHECK_FALSE(event.gradients_are_unscaled());
        }) == GRAPNEL_OK);
  CHECK(host.optimizers[0].groups[1]["lr"] == 0.5);
}

TEST_CASE("a plugin's log may be used from another thread") {
  RecordingHost host;
  CHECK(run(host, [](auto& event) {
          const auto logger = event.logger();
          std::thread([logger] {
            logger.warning("from afar");
            logger.warning_once("key", "once");
            logger.warning_once("key", "twice");
          }).join();
        }) == GRAPNEL_OK);
  CHECK(host.log == std::vector<std::string>{"warning: from afar", "warning: once"});
}

}  // namespace services_test
