// Extension metrics: logging under the trainer's rules, and reading what anybody logged.
#include <grapnel/ext/metrics.h>

#include <algorithm>

#include "catch.h"
#include "row_logger.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"

namespace metrics_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

const grapnel_metrics& metrics(const Caller& caller) {
  return caller.table<grapnel_metrics>(GRAPNEL_EXT_METRICS);
}

grapnel_string name(const char* value) {
  return text(std::string_view(value));
}

grapnel_metric_options with_flags(std::uint32_t flags) {
  return {sizeof(grapnel_metric_options), flags, 0};
}

}  // namespace

TEST_CASE("a number logged by a plugin reaches the loggers under the rules of its hook") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_end, [](const Caller& caller, const grapnel_Event* raw) {
    const auto* event = reinterpret_cast<const grapnel_TrainBatchEnd*>(raw);
    const auto both = with_flags(GRAPNEL_METRIC_ON_STEP | GRAPNEL_METRIC_ON_EPOCH);
    const auto hidden = with_flags(GRAPNEL_METRIC_NO_LOGGER | GRAPNEL_METRIC_PROG_BAR);
    const double value = static_cast<double>(event->batch_idx);
    CHECK(metrics(caller).log_f64(caller.host, name("plain"), value, nullptr) == GRAPNEL_OK);
    CHECK(metrics(caller).log_f64(caller.host, name("twice"), value, &both) == GRAPNEL_OK);
    CHECK(metrics(caller).log_f64(caller.host, name("bar"), value, &hidden) == GRAPNEL_OK);
    return GRAPNEL_OK;
  });
  Toy toy;
  const auto rows = std::make_shared<RowLogger>();
  toy.options.loggers = {rows};
  toy.options.log_every_n_steps = 1;
  toy.fit({plugin.handle()});
  CHECK(rows->values("plain").size() == 4);
  CHECK(rows->values("twice_step").size() == 4);
  CHECK(rows->values("bar").size() == 0);
  CHECK(toy.trainer->progress_bar_metrics().contains("bar"));
  CHECK(toy.trainer->callback_metrics().at("twice_epoch") == Approx(1.5));
}

TEST_CASE("the batch size given with a metric is its weight in the epoch's mean") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_batch_end, [](const Caller& caller, const grapnel_Event* raw) {
    const auto* event = reinterpret_cast<const grapnel_TrainBatchEnd*>(raw);
    grapnel_metric_options options = with_flags(GRAPNEL_METRIC_ON_EPOCH);
    options.batch_size = event->batch_idx == 0 ? 9 : 1;
    return metrics(caller).log_f64(caller.host, name("mean"), event->batch_idx == 0 ? 1.0 : 0.0,
                                   &options);
  });
  Toy toy;
  toy.fit({plugin.handle()});
  CHECK(toy.trainer->callback_metrics().at("mean") == Approx(9.0 / 12.0));
}

TEST_CASE("a tensor with one element can be logged, any other is refused") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_epoch_end, [](const Caller& caller, const grapnel_Event*) {
    grapnel_tensor* one = caller.floats({0.75f});
    grapnel_tensor* two = caller.floats({1, 2});
    CHECK(metrics(caller).log_tensor(caller.host, name("tensor"), one, nullptr) == GRAPNEL_OK);
    CHECK(metrics(caller).log_tensor(caller.host, name("bad"), two, nullptr) ==
          GRAPNEL_INVALID_ARGUMENT);
    grapnel_metric_options unknown = with_flags(1u << 20);
    CHECK(metrics(caller).log_tensor(caller.host, name("bad"), one, &unknown) ==
          GRAPNEL_UNSUPPORTED);
    CHECK(metrics(caller).log_f64(caller.host, name(""), 1, nullptr) == GRAPNEL_INVALID_ARGUMENT);
    caller.tensors().release(caller.host, one);
    return caller.tensors().release(caller.host, two);
  });
  Toy toy;
  toy.fit({plugin.handle()});
  CHECK(toy.trainer->callback_metrics().at("tensor") == 0.75);
  CHECK(!toy.trainer->callback_metrics().contains("bad"));
}

TEST_CASE("logging in a hook without metrics throws the trainer's own error") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_end, [](const Caller& caller, const grapnel_Event*) {
    return metrics(caller).log_f64(caller.host, name("late"), 1, nullptr);
  });
  Toy toy;
  CHECK_THROWS_AS(toy.fit({plugin.handle()}), ConfigError);
}

TEST_CASE("a plugin reads any logged metric with the step it was logged at") {
  InProcessPlugin plugin;
  bool read = false;
  plugin.on(Hook::on_train_start, [](const Caller& caller, const grapnel_Event*) {
    double value = 0;
    std::int64_t step = 0;
    CHECK(metrics(caller).get(caller.host, name("val_loss"), &value, &step) == GRAPNEL_NOT_FOUND);
    return GRAPNEL_OK;
  });
  plugin.on(Hook::on_validation_end, [&](const Caller& caller, const grapnel_Event*) {
    double value = 0;
    std::int64_t step = 0;
    CHECK(metrics(caller).get(caller.host, name("val_loss"), &value, &step) == GRAPNEL_OK);
    CHECK(value > 0);
    CHECK(step == 4);
    std::uint64_t count = 0;
    CHECK(metrics(caller).count(caller.host, &count) == GRAPNEL_OK);
    std::vector<std::string> names;
    for (std::uint64_t i = 0; i < count; ++i) {
      grapnel_string item{};
      CHECK(metrics(caller).name(caller.host, i, &item) == GRAPNEL_OK);
      names.push_back(text(item));
    }
    CHECK(std::count(names.begin(), names.end(), "val_loss") == 1);
    grapnel_string item{};
    CHECK(metrics(caller).name(caller.host, count, &item) == GRAPNEL_NOT_FOUND);
    read = true;
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.fit({plugin.handle()});
  CHECK(read);
}

}  // namespace metrics_test
