// metrics_sink: a plugin as a logger of the trainer.
#include <grapnel/ext/metrics_sink.h>

#include <algorithm>
#include <cmath>
#include <map>

#include <grapnel/base/error.h>
#include <grapnel/callbacks/model_checkpoint.h>
#include <grapnel/loggers/memory_logger.h>
#include <grapnel/plugin.hpp>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"
#include "temp_dir.h"

namespace metrics_sink_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

struct Row {
  std::string name;
  double value;
  std::int64_t step, epoch;
  std::uint32_t flags;
};

// A plugin in C: what its sink got. One at a time.
struct Sink {
  InProcessPlugin plugin;
  grapnel_metrics_sink table{};
  std::vector<std::string> calls;  // "begin", "write 3", "end 0 reason"
  std::vector<Row> rows;
  std::map<std::string, std::string> hyper;
  int failing_writes = 0;  // that many fail
  bool begin_fails = false, hyperparameters_fail = false;
  static Sink*& current() {
    static Sink* sink = nullptr;
    return sink;
  }

  Sink() {
    current() = this;
    table.struct_size = sizeof table;
    table.begin = [](grapnel_instance* instance) {
      current()->calls.emplace_back("begin");
      if (!current()->begin_fails) return GRAPNEL_OK;
      InProcessPlugin::caller_of(instance).fail("no server");
      return GRAPNEL_ERROR;
    };
    table.hyperparameters = [](grapnel_instance* instance,
                               const grapnel_hyperparameter* const* list, std::uint64_t count) {
      current()->calls.emplace_back("hyperparameters");
      if (current()->hyperparameters_fail) {
        InProcessPlugin::caller_of(instance).fail("too many");
        return GRAPNEL_ERROR;
      }
      for (std::uint64_t i = 0; i < count; ++i) {
        const grapnel_value& value = list[i]->value;
        std::string shown = std::to_string(value.tag) + ":";
        if (value.tag == GRAPNEL_VALUE_STRING) shown += std::string(value.u.string, value.size);
        if (value.tag == GRAPNEL_VALUE_F64) shown += std::to_string(value.u.f64);
        if (value.tag == GRAPNEL_VALUE_I64 || value.tag == GRAPNEL_VALUE_BOOL) {
          shown += std::to_string(value.u.i64);
        }
        current()->hyper[text(list[i]->name)] = shown;
      }
      return GRAPNEL_OK;
    };
    table.write = [](grapnel_instance* instance, const grapnel_metric_record* const* records,
                     std::uint64_t count) {
      Sink& self = *current();
      self.calls.push_back("write " + std::to_string(count));
      if (self.failing_writes-- > 0) {
        InProcessPlugin::caller_of(instance).fail("the disk of the server is full");
        return GRAPNEL_ERROR;
      }
      for (std::uint64_t i = 0; i < count; ++i) {
        const grapnel_metric_record& record = *records[i];
        CHECK(record.struct_size == sizeof record);
        CHECK(record.time > 1.6e9);
        self.rows.push_back(
            {text(record.name), record.value, record.step, record.epoch, record.flags});
      }
      return GRAPNEL_OK;
    };
    table.end = [](grapnel_instance*, std::int32_t outcome, grapnel_string reason) {
      current()->calls.push_back("end " + std::to_string(outcome) + " " + text(reason));
      return GRAPNEL_OK;
    };
    plugin.extension = [this](std::string_view id) -> const void* {
      return id == GRAPNEL_EXT_METRICS_SINK ? &table : nullptr;
    };
  }
  std::size_t count(const std::string& call) const {
    return static_cast<std::size_t>(
        std::count_if(calls.begin(), calls.end(),
                      [&](const std::string& each) { return each.rfind(call, 0) == 0; }));
  }
};

}  // namespace

TEST_CASE("a sink gets what a logger gets, in one call for each logged step") {
  Sink sink;
  auto memory = std::make_shared<MemoryLogger>();
  Toy toy;
  toy.options.max_epochs = 2;
  toy.options.log_every_n_steps = 2;
  toy.options.loggers = {memory};
  toy.fit({sink.plugin.handle()});

  CHECK(sink.calls.front() == "begin");
  CHECK(sink.calls.back() == "end 0 ");
  CHECK(sink.count("begin") == 1);
  CHECK(sink.count("end") == 1);
  std::vector<std::pair<std::string, double>> expected, got;
  std::vector<std::int64_t> expected_steps, got_steps;
  for (const auto& row : memory->rows()) {
    for (const auto& [name, value] : row.metrics) {
      expected.emplace_back(name, value);
      expected_steps.push_back(row.step);
    }
  }
  for (const Row& row : sink.rows) {
    got.emplace_back(row.name, row.value);
    got_steps.push_back(row.step);
  }
  CHECK(got == expected);
  CHECK(got_steps == expected_steps);
  CHECK(sink.count("write") == memory->rows().size());
  for (const Row& row : sink.rows) {
    if (row.name == "val_loss") CHECK(row.flags == GRAPNEL_RECORD_EVALUATION);
    if (row.name == "train_loss") CHECK(row.flags == 0);
  }
  CHECK(sink.rows.back().epoch == 1);
}

TEST_CASE("a sink gets hyperparameters by their full names and with their types") {
  Sink sink;
  Toy toy;
  toy.module.hyper_parameters = {{"lr", 0.5},
                                 {"bins", 3},
                                 {"bias", true},
                                 {"kind", "toy"},
                                 {"none", StateValue()},
                                 {"optimizer", StateDict{{"name", "SGD"}}},
                                 {"layers", StateList{32, 16}}};
  toy.fit({sink.plugin.handle()});
  const auto tag = [](int number, const std::string& rest) {
    return std::to_string(number) + ":" + rest;
  };
  CHECK(sink.hyper["lr"] == tag(GRAPNEL_VALUE_F64, "0.500000"));
  CHECK(sink.hyper["bins"] == tag(GRAPNEL_VALUE_I64, "3"));
  CHECK(sink.hyper["bias"] == tag(GRAPNEL_VALUE_BOOL, "1"));
  CHECK(sink.hyper["kind"] == tag(GRAPNEL_VALUE_STRING, "toy"));
  CHECK(sink.hyper["none"] == tag(GRAPNEL_VALUE_NONE, ""));
  CHECK(sink.hyper["optimizer.name"] == tag(GRAPNEL_VALUE_STRING, "SGD"));
  CHECK(sink.hyper["layers.1"] == tag(GRAPNEL_VALUE_I64, "16"));
}

TEST_CASE("a sink that fails is told once, and the training goes on without its records") {
  const CapturedLog log;
  Sink sink;
  sink.failing_writes = 2;
  Toy toy;
  toy.options.log_every_n_steps = 1;
  toy.fit({sink.plugin.handle()});
  CHECK(toy.trainer->global_step() == 4);
  CHECK(sink.count("write") > 2);
  CHECK_FALSE(sink.rows.empty());
  CHECK_THAT(log.text(), Contains("plugin 'probe' 1.2.3: callback 'probe' failed in "
                                  "metrics_sink.write: the disk of the server is full"));
  CHECK_THAT(log.text(), Contains("the logs are incomplete, what was logged is missing") &&
                             Contains("records were lost: plugin 'probe'"));
  sink.failing_writes = 1000;
  Toy other;
  other.options.log_every_n_steps = 1;
  other.fit({sink.plugin.handle()});
  CHECK(other.trainer->global_step() == 4);
  CHECK_THAT(log.text(), Contains("the logs are incomplete"));
}

TEST_CASE("hyperparameters that a sink doesn't take are told at the end, and not given again") {
  const CapturedLog log;
  Sink sink;
  sink.hyperparameters_fail = true;
  Toy toy;
  toy.module.hyper_parameters = {{"lr", 0.05}};
  toy.options.log_every_n_steps = 1;
  toy.fit({sink.plugin.handle()});
  CHECK(toy.trainer->global_step() == 4);
  CHECK(sink.count("hyperparameters") == 1);
  CHECK_THAT(log.text(), Contains("hyperparameters were not taken") && Contains("too many"));
  CHECK_THAT(log.text(), !Contains("what was logged since"));
}

TEST_CASE("the sink of a plugin that is disabled gets its end, and nothing after it") {
  Sink sink;
  sink.plugin.on(Hook::on_train_batch_end, [](const Caller& caller, const grapnel_Event*) {
    caller.fail("broken");
    return GRAPNEL_ERROR;
  });
  Toy toy;
  toy.options.log_every_n_steps = 1;
  CallbackHandle handle = sink.plugin.handle();
  handle.on_error = OnError::disable;
  toy.fit({handle});
  CHECK(toy.trainer->global_step() == 4);
  CHECK(sink.count("end") == 1);
  CHECK_THAT(sink.calls.back(), Catch::StartsWith("end 3 ") && Contains("disabled"));
}

TEST_CASE("a sink whose begin fails refuses the run before it trains, and gets no end") {
  Sink sink;
  sink.begin_fails = true;
  Toy toy;
  CHECK_THROWS_WITH(toy.fit({sink.plugin.handle()}), Contains("no server"));
  CHECK(toy.trainer->global_step() == 0);
  CHECK(sink.calls == std::vector<std::string>{"begin"});
}

TEST_CASE("a sink is told how a run ends") {
  const auto last = [](const std::function<void(TrainBatchEnd&)>& act) {
    Sink sink;
    Toy toy;
    struct Acting final : Callback {
      void on_train_batch_end(TrainBatchEnd& event) override { act(event); }
      std::function<void(TrainBatchEnd&)> act;
    };
    auto acting = std::make_shared<Acting>();
    acting->act = act;
    try {
      toy.fit({acting, sink.plugin.handle()});
    } catch (const std::exception&) {
    }
    CHECK(sink.count("end") == 1);
    return sink.calls.back();
  };
  CHECK(last([](TrainBatchEnd&) {}) == "end 0 ");
  CHECK(last([](TrainBatchEnd& event) { event.trainer.request_stop("enough"); }) == "end 1 enough");
  CHECK_THAT(last([](TrainBatchEnd& event) { event.trainer.interrupt(15); }),
             Catch::StartsWith("end 2 "));
  CHECK(last([](TrainBatchEnd&) { throw std::runtime_error("broken"); }) == "end 3 broken");
}

TEST_CASE(
    "a sink moves no directory and no version of the user's, and is silent in a fast_dev_run") {
  const TempDir directory;
  Sink sink;
  Toy toy;
  toy.options.enable_checkpointing = true;
  toy.options.default_root_dir = directory.path();
  toy.fit({sink.plugin.handle()});
  const auto* checkpoint = toy.trainer->find_callback<ModelCheckpoint>();
  REQUIRE(checkpoint != nullptr);
  CHECK(std::filesystem::path(checkpoint->dirpath()) ==
        std::filesystem::absolute(directory / "checkpoints"));
  CHECK(toy.trainer->loggers().size() == 1);

  sink.calls.clear();
  Toy quick;
  quick.options.fast_dev_run = 1;
  quick.fit({sink.plugin.handle()});
  CHECK(sink.calls.empty());
}

TEST_CASE("services that need a hook aren't there in a sink, the trainer's state is") {
  const CapturedLog log;
  Sink sink;
  static std::int64_t seen_step = -1;
  sink.table.write = [](grapnel_instance* instance, const grapnel_metric_record* const*,
                        std::uint64_t) {
    const Caller& caller = InProcessPlugin::caller_of(instance);
    seen_step = caller.trainer_state().global_step;
    const auto& request = caller.table<grapnel_request>(GRAPNEL_EXT_REQUEST);
    CHECK(request.request(caller.host, GRAPNEL_REQUEST_STOP, text(std::string_view("no"))) ==
          GRAPNEL_NOT_NOW);
    const auto& metrics = caller.table<grapnel_metrics>(GRAPNEL_EXT_METRICS);
    CHECK(metrics.log_f64(caller.host, text(std::string_view("x")), 1, nullptr) == GRAPNEL_NOT_NOW);
    return GRAPNEL_OK;
  };
  Toy toy;
  toy.options.log_every_n_steps = 1;
  toy.fit({sink.plugin.handle()});
  CHECK(seen_step == 4);
}

TEST_CASE("a table without write or end, or with something in reserved, is refused") {
  Sink sink;
  sink.table.write = nullptr;
  CHECK_THROWS_WITH(sink.plugin.make(), Contains("grapnel.metrics_sink/1 lacks write"));
  Sink shorter;
  shorter.table.struct_size = GRAPNEL_END_OF(grapnel_metrics_sink, write);
  CHECK_THROWS_WITH(shorter.plugin.make(),
                    Contains("is too short: by its struct_size it lacks end"));
  Sink other;
  other.table.reserved = 1;
  CHECK_THROWS_WITH(other.plugin.make(), Contains("grapnel.metrics_sink/1"));
  Sink least;  // all but write may be missing
  least.table.begin = nullptr;
  least.table.hyperparameters = nullptr;
  least.table.end = nullptr;
  Toy toy;
  toy.fit({least.plugin.handle()});
  CHECK_FALSE(least.rows.empty());
}

// ---- Through the wrapper

namespace {

namespace gp = grapnel::plugin;

struct Seen {
  std::vector<std::string> lines;
};
Seen* seen = nullptr;

class Wrapped final : public gp::Callback, public gp::MetricsSink {
 public:
  void begin_metrics(gp::Services& services) override {
    seen->lines.push_back("begin " + std::to_string(static_cast<int>(services.run_kind())));
  }
  void write_hyperparameters(gp::Services&, const gp::Hyperparameters& parameters) override {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      seen->lines.push_back(std::string(parameters[i].name()) + "=" +
                            std::to_string(parameters[i].as_integer().value_or(-1)));
    }
  }
  void write_metrics(gp::Services&, const gp::MetricRecords& records) override {
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (records[i].name() != "val_loss") continue;
      CHECK(records[i].in_evaluation());
      CHECK(std::isfinite(records[i].value()));
      seen->lines.push_back("val_loss at " + std::to_string(records[i].step()) + " in " +
                            std::to_string(records[i].epoch()));
    }
    throw std::runtime_error("lost");
  }
  void end_metrics(gp::Services&, gp::Outcome outcome, std::string_view) override {
    seen->lines.push_back("end " + std::to_string(static_cast<int>(outcome)));
  }
};

}  // namespace

TEST_CASE("a class that derives from MetricsSink is a logger") {
  const CapturedLog log;
  Seen lines;
  seen = &lines;
  const InProcessPlugin described;  // for a manifest
  static constexpr grapnel_factory factory = gp::callback<Wrapped>("probe");
  auto callback = std::make_shared<bridge::PluginCallback>(described.manifest(), "probe", factory);
  Toy toy;
  toy.module.hyper_parameters = {{"bins", 3}};
  toy.fit({as_plugin(callback)});
  CHECK(lines.lines ==
        std::vector<std::string>{"begin 1", "bins=3", "val_loss at 3 in 0", "end 0"});
  CHECK_THAT(log.text(), Contains("metrics_sink.write: std::runtime_error: lost"));
}

}  // namespace metrics_sink_test
