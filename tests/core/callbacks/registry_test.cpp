#include "grapnel/callbacks/registry.h"

#include <set>

#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/callbacks/early_stopping.h"
#include "grapnel/loggers/registry.h"

namespace registry_test {

using namespace grapnel;
using grapnel::test::CapturedLog;

namespace {

ConfigValue json(const char* text) {
  return parse_json(text, "run.json");
}

}  // namespace

TEST_CASE("every built-in callback can be made from its parameters, by name or by class") {
  std::set<std::string> names;
  for (const CallbackRegistry::Entry& entry : callback_registry()) {
    INFO(entry.name());
    CHECK(names.insert(entry.name()).second);
    CHECK_FALSE(entry.summary().empty());
    CHECK(callback_registry().find(entry.name()) == &entry);
    ConfigValue required = ConfigValue::object();
    for (const ParameterSpec& spec : entry.parameters().specs()) {
      if (!spec.is_required()) continue;
      if (spec.types.at(0) == ParameterType::string) {
        required.set(spec.name, spec.choices.empty() ? "x" : spec.choices.front());
      }
      if (spec.types.at(0) == ParameterType::number) required.set(spec.name, 0.1);
      if (spec.types.at(0) == ParameterType::number_map)
        required.set(spec.name, json(R"({"0": 2})"));
    }
    const CallbackHandle made = make_callback(entry.name(), required, "callbacks." + entry.name());
    CHECK(callback_registry().find(made.callback->type_name()) == &entry);
  }
  CHECK(names.size() >= 7);
}

TEST_CASE("a callback's former name is accepted with a message naming the new one, and is unique") {
  std::set<std::string_view> former;
  for (const CallbackRegistry::Entry& entry : callback_registry()) {
    for (const std::string_view name : entry.former_names) {
      INFO(name);
      CHECK(former.insert(name).second);
      CHECK(callback_registry().find(name) == nullptr);
      CHECK(callback_registry().find_renamed(name) == &entry);
    }
  }
  const CapturedLog log;
  for (const char* name : {"lr_logger", "LearningRateLogger"}) {
    const CallbackHandle made =
        make_callback(name, json(R"({"log_momentum": true})"), "callbacks.lr_logger");
    CHECK(made.callback->type_name() == "LearningRateMonitor");
  }
  CHECK(make_callback("ProgressBar", json("{}"), "callbacks").callback->type_name() ==
        "TQDMProgressBar");
  CHECK_THAT(log.text(), Catch::Contains("'lr_logger' is called 'learning_rate_monitor' today"));
  CHECK(callback_registry().find_renamed("lr_loger") == nullptr);
}

TEST_CASE("parameters from run.json reach the callback") {
  const CallbackHandle handle =
      make_callback("early_stopping", json(R"({"monitor": "acc", "mode": "max", "patience": 7})"),
                    "callbacks.early_stopping");
  const auto& stopping = dynamic_cast<const EarlyStopping&>(*handle.callback);
  CHECK(stopping.patience() == 7);
  CHECK(stopping.state_key() == "EarlyStopping{'monitor': 'acc', 'mode': 'max'}");
  CHECK(handle.overridden.test(Hook::on_validation_end));
}

TEST_CASE(
    "a mistake in a callback's section of run.json is an error with its position and the nearest "
    "name") {
  CHECK_THROWS_WITH(
      make_callback("early_stoping", json("{}"), "callbacks.early_stoping"),
      Catch::Contains("run.json:1") && Catch::Contains("did you mean 'early_stopping'?"));
  CHECK_THROWS_WITH(
      make_callback("EarlyStopping", json(R"({"monitor": "x", "patiense": 3})"), "callbacks.es"),
      Catch::Contains("run.json:1") && Catch::Contains("'patience'"));
  CHECK_THROWS_WITH(
      make_callback("EarlyStopping", json(R"({"monitor": "x", "mode": "avg"})"), "callbacks.es"),
      Catch::Contains("run.json:1") && Catch::Contains("'min'"));
  // A check between parameters, which the table can't make.
  CHECK_THROWS_WITH(
      make_callback("model_checkpoint", json(R"({"save_top_k": 3})"), "callbacks.model_checkpoint"),
      Catch::Contains("run.json:1") && Catch::Contains("needs a monitor"));
}

TEST_CASE("loggers can be made by name") {
  CHECK(logger_registry().size() >= 3);
  CHECK(logger_registry().find("CSVLogger") == logger_registry().find("csv"));
  const auto logger = make_logger("csv", json(R"({"name": "mnist", "version": 4})"), "loggers.csv");
  CHECK(logger->name() == "mnist");
  CHECK(logger->version() == "version_4");
  CHECK_THROWS_WITH(make_logger("tensorbord", json("{}"), "loggers"),
                    Catch::Contains("'tensorboard'"));
  CHECK_THROWS_WITH(make_logger("csv", json(R"({"name": "../x"})"), "loggers.csv"),
                    Catch::Contains("run.json:1"));
}

}  // namespace registry_test
