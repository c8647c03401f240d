// Which calls a filter lets through, as a pure question and in real trainings.
#include "grapnel/call_filter.h"

#include "../support/recorder.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/callback_keys.h"
#include "temp_dir.h"
#include "toy.h"

namespace call_filter_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

CallPosition at(int64_t epoch, int64_t step) {
  return {.fitting = true, .epoch = epoch, .step = step, .epochs = 10, .steps = 100};
}

std::vector<int64_t> admitted_steps(const CallFilter& filter, int64_t until) {
  std::vector<int64_t> steps;
  for (int64_t step = 1; step <= until; ++step) {
    if (admits(filter, Hook::on_train_batch_end, at(1, step))) steps.push_back(step);
  }
  return steps;
}

std::vector<int64_t> admitted_epochs(const CallFilter& filter, Hook hook) {
  std::vector<int64_t> epochs;
  for (int64_t epoch = 1; epoch <= 10; ++epoch) {
    if (admits(filter, hook, at(epoch, epoch * 10))) epochs.push_back(epoch);
  }
  return epochs;
}

CallFilter parsed(const std::string& text) {
  ConfigValue parameters = parse_json(text, "run.json");
  static const ParameterTable none("thing", "A thing.", {});
  const CallFilter filter = take_callback_keys(parameters, none, "callbacks.thing").filter;
  CHECK(parameters.size() == 0);
  return filter;
}

// Two epochs of three batches; how often each hook came.
std::map<std::string, int64_t> calls_with(const CallFilter& filter,
                                          TrainerOptions options = quiet(2)) {
  Trace trace;
  auto recorder = std::make_shared<Recorder>(trace);
  ToyModule module;
  Trainer trainer(std::move(options), {CallbackHandle(recorder).only(filter)});
  trainer.fit(module, toy_data());
  std::map<std::string, int64_t> calls;
  for (const std::string& name : trace) ++calls[name.substr(name.find('.') + 1)];
  return calls;
}

}  // namespace

TEST_CASE("the filters every, after, first and last choose steps, and must all hold") {
  CHECK(admitted_steps({.every = CallSpan::steps(3)}, 10) == std::vector<int64_t>{3, 6, 9});
  CHECK(admitted_steps({.after = CallSpan::steps(7)}, 10) == std::vector<int64_t>{8, 9, 10});
  CHECK(admitted_steps({.first = CallSpan::steps(2)}, 10) == std::vector<int64_t>{1, 2});
  CHECK(admitted_steps({.last = CallSpan::steps(2)}, 100) == std::vector<int64_t>{99, 100});
  CHECK(admitted_steps({.every = CallSpan::steps(2), .after = CallSpan::steps(5)}, 10) ==
        std::vector<int64_t>{6, 8, 10});
}

TEST_CASE("a filter in epochs applies to the hooks of epochs, of their batches and of validation") {
  const CallFilter filter{.every = CallSpan::epochs(4)};
  for (const Hook hook : {Hook::on_train_epoch_start, Hook::on_train_epoch_end,
                          Hook::on_train_batch_start, Hook::on_validation_epoch_end}) {
    CHECK(admitted_epochs(filter, hook) == std::vector<int64_t>{4, 8});
  }
  CHECK(admitted_epochs({.last = CallSpan::epochs(1)}, Hook::on_train_epoch_end) ==
        std::vector<int64_t>{10});
}

TEST_CASE("a filter in steps doesn't affect the hooks of epochs") {
  CHECK(admitted_epochs({.every = CallSpan::steps(7)}, Hook::on_train_epoch_end).size() == 10);
  CHECK(admitted_epochs({.every = CallSpan::steps(7)}, Hook::on_validation_end).size() == 10);
}

TEST_CASE("filters don't affect runs other than fit, nor setup, checkpoints, exceptions and ends") {
  CallPosition outside = at(1, 1);
  outside.fitting = false;
  CHECK(admits({.after = CallSpan::epochs(5)}, Hook::on_validation_end, outside));
  for (const Hook hook :
       {Hook::setup, Hook::teardown, Hook::on_fit_start, Hook::on_train_start, Hook::on_train_end,
        Hook::on_save_checkpoint, Hook::on_exception, Hook::on_run_end}) {
    CHECK(admits({.after = CallSpan::epochs(5)}, hook, at(1, 1)));
    CHECK_FALSE(concerns({.after = CallSpan::epochs(5)}, hook));
  }
}

TEST_CASE("a filter is read from the keys next to a callback's parameters") {
  CHECK(parsed(R"({"every": {"steps": 100}})") == CallFilter{.every = CallSpan::steps(100)});
  CHECK(parsed(R"({"after": {"epochs": 2}, "once": true})") ==
        CallFilter{.after = CallSpan::epochs(2), .once = true});
  CHECK(to_string(parsed(R"({"after": {"epochs": 2}, "once": true})")) == "after 2 epochs, once");
}

TEST_CASE("an invalid filter is refused with its position") {
  const ParameterTable none("thing", "A thing.", {});
  const auto refusal = [&](const std::string& text) -> std::string {
    ConfigValue parameters = parse_json(text, "run.json");
    try {
      (void)take_callback_keys(parameters, none, "callbacks.thing");
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "accepted";
  };
  CHECK_THAT(refusal(R"({"every": 100})"),
             Catch::Contains("run.json:1:11") && Catch::Contains("{\"steps\": n}"));
  CHECK_THAT(refusal(R"({"every": {"step": 100}})"),
             Catch::Contains("'step'") && Catch::Contains("'steps'"));
  CHECK_THAT(refusal(R"({"first": {"epochs": 0}})"), Catch::Contains("the integer 0"));
  CHECK_THAT(refusal(R"({"once": 1})"), Catch::Contains("callbacks.thing.once"));
}

TEST_CASE("on_error and label are read from the keys next to a callback's parameters") {
  const ParameterTable none("thing", "A thing.", {});
  ConfigValue given = parse_json(R"({"on_error": "disable", "label": "a"})", "run.json");
  const CallbackKeys keys = take_callback_keys(given, none, "callbacks.thing");
  CHECK(keys.on_error == OnError::disable);
  CHECK(keys.label == "a");
  CHECK(keys.filter == CallFilter{});
  ConfigValue nothing = ConfigValue::object();
  CHECK(take_callback_keys(nothing, none, "callbacks.thing").on_error == OnError::fail);
  const auto refusal = [&](const char* text) -> std::string {
    ConfigValue section = parse_json(text, "run.json");
    try {
      (void)take_callback_keys(section, none, "callbacks.thing");
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "accepted";
  };
  CHECK_THAT(refusal(R"({"on_error": "ignore"})"),
             Catch::Contains("callbacks.thing.on_error must be 'fail' or 'disable'"));
  CHECK_THAT(refusal(R"({"labell": "a"})"), Catch::Contains("did you mean 'label'?"));
  CHECK(refusal(R"({"other": 1})") == "accepted");  // left to the callback's own table
}

TEST_CASE("a filter's key that the callback has as a parameter is left to the callback") {
  const ParameterTable own("thing", "A thing.",
                           {parameter::integer("every", 1).doc("Of its own.")});
  ConfigValue parameters = parse_json(R"({"every": 5})", "run.json");
  CHECK(take_callback_keys(parameters, own, "callbacks.thing").filter == CallFilter{});
  CHECK(parameters.contains("every"));
}

TEST_CASE(
    "a training calls a filtered callback only where its filter allows, but always setup and "
    "teardown") {
  const auto calls = calls_with({.every = CallSpan::steps(3)});
  CHECK(calls.at("on_train_batch_start") == 2);
  CHECK(calls.at("on_train_batch_end") == 2);
  CHECK(calls.at("on_before_optimizer_step") == 2);
  CHECK(calls.at("on_train_epoch_end") == 2);
  CHECK(calls.at("setup") == 1);
  CHECK(calls.at("on_train_start") == 1);
}

TEST_CASE("the filter `last` knows the last epoch, and `once` allows one call") {
  CHECK(calls_with({.last = CallSpan::epochs(1)}).at("on_train_batch_end") == 3);
  const auto calls = calls_with({.after = CallSpan::epochs(1), .once = true});
  CHECK(calls.at("on_train_batch_end") == 1);
  CHECK(calls.at("on_train_epoch_start") == 1);
}

TEST_CASE("filters count micro-batches as part of the optimizer step that ends their window") {
  TrainerOptions options = quiet(1);
  options.accumulate_grad_batches = 2;
  // Three batches: a window of two, and the last one alone.
  CHECK(calls_with({.first = CallSpan::steps(1)}, options).at("on_train_batch_end") == 2);
}

namespace {

// Two optimizers, each stepped once in a batch.
class TwoStepModule : public ToyModule {
 public:
  TwoStepModule() { automatic_optimization = false; }
  OptimizerConfig configure_optimizers() override {
    OptimizerConfig config;
    config.optimizers = {std::make_shared<SGD>(std::vector<at::Tensor>{weight}),
                         std::make_shared<SGD>(std::vector<at::Tensor>{bias})};
    return config;
  }
  StepOutput training_step(Batch& batch, int64_t) override {
    for (size_t i = 0; i < 2; ++i) {
      ManualOptimizer optimizer = optimizers(i);
      optimizer.zero_grad();
      manual_backward(loss_of(batch));
      optimizer.step();
    }
    return {};
  }
};

std::vector<std::string> calls_in_batches(const CallFilter& filter, const std::string& hook,
                                          const std::string& checkpoint = {},
                                          const std::function<void(Trainer&)>& at_end = {}) {
  Trace trace;
  std::vector<std::string> calls;
  auto recorder = std::make_shared<Recorder>(trace);
  recorder->script = [&](const std::string& now, Trainer& trainer) {
    if (now == hook) calls.push_back(std::to_string(trainer.global_step()));
  };
  auto watcher = std::make_shared<Recorder>(trace);
  watcher->set_name("watcher");
  watcher->script = [&](const std::string& now, Trainer& trainer) {
    if (now == "on_train_batch_end" && at_end) at_end(trainer);
  };
  TwoStepModule module;
  Trainer trainer(quiet(1), {CallbackHandle(recorder).only(filter), CallbackHandle(watcher)});
  try {
    trainer.fit(module, toy_data(6), {.ckpt_path = checkpoint});
  } catch (const std::runtime_error&) {
  }
  return calls;
}

}  // namespace

TEST_CASE("every n steps comes evenly when each batch makes two steps") {
  using Steps = std::vector<std::string>;
  const CallFilter two{.every = CallSpan::steps(2)};
  const CallFilter four{.every = CallSpan::steps(4)};
  CHECK(calls_in_batches(two, "on_train_batch_end") == Steps{"2", "4", "6", "8", "10", "12"});
  CHECK(calls_in_batches(two, "on_train_batch_start") == Steps{"0", "2", "4", "6", "8", "10"});
  CHECK(calls_in_batches(two, "on_after_optimizer_step") == Steps{"2", "4", "6", "8", "10", "12"});
  CHECK(calls_in_batches(four, "on_train_batch_end") == Steps{"4", "8", "12"});
  CHECK(calls_in_batches(four, "on_after_optimizer_step") == Steps{"4", "8", "12"});
  CHECK(calls_in_batches({.every = CallSpan::steps(5)}, "on_train_batch_end") == Steps{"6", "12"});
}

TEST_CASE("a resumed run counts every n steps from the last time") {
  const TempDir directory;
  const auto file = directory / "after-8.ckpt";
  const CallFilter five{.every = CallSpan::steps(5)};
  calls_in_batches(five, "on_train_batch_end", "", [&](Trainer& trainer) {
    if (trainer.global_step() != 8) return;
    trainer.save_checkpoint(file);
    throw std::runtime_error("killed");
  });
  CHECK(calls_in_batches(five, "on_train_batch_end", file.string()) ==
        std::vector<std::string>{"12"});
}

TEST_CASE("the filter `last` without a known end is refused before the training") {
  ToyModule module;
  Trace trace;
  TrainerOptions options = quiet(-1);
  options.max_steps = 4;
  Trainer trainer(
      std::move(options),
      {CallbackHandle(std::make_shared<Recorder>(trace)).only({.last = CallSpan::epochs(1)})});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data()), Catch::Contains("trainer.max_epochs"));
}

TEST_CASE("a resumed run remembers which `once` calls were made") {
  const TempDir directory;
  const auto file = directory / "half.ckpt";
  const CallFilter filter{.once = true};
  Trace trace;
  {
    ToyModule module;
    Trainer trainer(quiet(1), {CallbackHandle(std::make_shared<Recorder>(trace)).only(filter)});
    trainer.fit(module, toy_data());
    trainer.save_checkpoint(file);
  }
  Trace resumed;
  ToyModule module;
  Trainer trainer(quiet(2), {CallbackHandle(std::make_shared<Recorder>(resumed)).only(filter)});
  trainer.fit(module, toy_data(), {.ckpt_path = file.string()});
  CHECK(std::count(trace.begin(), trace.end(), "cb.on_train_batch_end") == 1);
  CHECK(std::count(resumed.begin(), resumed.end(), "cb.on_train_batch_end") == 0);
}

}  // namespace call_filter_test
