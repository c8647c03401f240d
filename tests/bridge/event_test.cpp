// User-defined events in plugins: a real library's handlers, called by a Fabric; and plugins that break
// the contract.
#include <grapnel/bridge/plugins.h>

#include <ATen/ATen.h>
#include <grapnel/base/error.h>
#include <grapnel/ext/event.h>
#include <grapnel/loggers/memory_logger.h>

#include <cmath>
#include <deque>
#include <functional>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/plugin_home.h"
#include "support/toy_training.h"

namespace event_test {

using namespace grapnel;
using namespace grapnel::bridge;
using namespace grapnel::test;
using Catch::Matchers::Contains;

TEST_CASE("a plugin handles the events of a Fabric loop") {
  PluginHome home;
  home.drop_in(ITERATION_TIMER);
  home.enable("iteration_timer");
  CapturedLog log;
  auto logger = std::make_shared<MemoryLogger>();
  const auto fabric = make_fabric({.loggers = {logger}}, home.selection());
  for (int64_t i = 0; i < 2; ++i) {
    fabric->call("on_iteration_start");
    fabric->call("on_iteration_end", arg("iteration", i), arg("loss", at::tensor(0.5)),
                 arg("unknown", "is not given to it"));
  }
  fabric->call("on_iteration_end", 7, EventValue(), "step");
  CHECK(log.count("info: [iteration_timer] iteration 0 took ") == 1);
  CHECK(log.count(" ms, loss 0.500000") == 2);
  CHECK(log.count("info: [iteration_timer] step 7 took ") == 1);
  REQUIRE(logger->rows().size() == 3);
  CHECK(logger->rows()[0].metrics[0].first == "seconds_per_iteration");
  CHECK(fabric->callback_metrics().at("seconds_per_iteration") >= 0);
}

TEST_CASE("arguments that a plugin's handler can't take are refused before it is called") {
  PluginHome home;
  home.drop_in(ITERATION_TIMER);
  home.enable("iteration_timer");
  CapturedLog log;
  const auto fabric = make_fabric({}, home.selection());
  CHECK_THROWS_WITH(fabric->call("on_iteration_end", arg("iterations", 3)),
                    "iteration_timer's on_iteration_end needs the argument 'iteration'; is "
                    "'iterations' a typo of it? It takes 'iteration', 'loss' and 'label'; given: 0 "
                    "positional, 'iterations' by name");
  CHECK_THROWS_WITH(fabric->call("on_iteration_end", arg("iteration", 1.5)),
                    "on_iteration_end: the argument 'iteration' must be an integer, found the "
                    "number 1.5");
  CHECK_THROWS_WITH(fabric->call("on_iteration_end", 1, arg("loss", "small")),
                    Contains("'loss' must be a number, found the string 'small'"));
  CHECK_THROWS_WITH(fabric->call("on_iteration_end", 1, arg("label", EventValue())),
                    Contains("'label' must be a string, found null"));
  CHECK(log.count("took") == 0);
}

TEST_CASE(
    "Fabric calls a plugin's standard hooks by name, and the plugin's requests reach the loop") {
  PluginHome home;
  home.drop_in(NAN_GUARD);
  home.enable("nan_guard");
  ToyModule net;
  const auto fabric = make_fabric({}, home.selection());
  fabric->setup(net);
  fabric->call("on_train_batch_end", arg("loss", 0.5));
  CHECK_FALSE(fabric->should_stop());
  for (int i = 0; i < 3; ++i) fabric->call("on_train_batch_end", arg("loss", NAN));
  CHECK(fabric->should_stop());
  CHECK(fabric->trainer().granted_requests().at(0).author == "nan_guard");
}

// ---- Every type, and broken contracts: handlers in the test itself, declared through the C ABI

namespace {

// One handler; what it is called with is written down.
struct Declared {
  std::deque<grapnel_event_argument> storage;
  std::vector<const grapnel_event_argument*> arguments;
  grapnel_event_handler handler{};
  std::vector<const grapnel_event_handler*> handlers;
  grapnel_event_handlers table{};
  std::function<std::int32_t(const Caller&, const grapnel_value*)> call;

  static Declared*& current() {
    static Declared* declared = nullptr;
    return declared;
  }

  Declared() {
    current() = this;
    handler.struct_size = sizeof handler;
    handler.event = text(std::string_view("on_x"));
    handler.call = [](grapnel_instance* instance, const grapnel_event_handler*,
                      const grapnel_value* values) {
      return current()->call(InProcessPlugin::caller_of(instance), values);
    };
    handlers.push_back(&handler);
    table.struct_size = sizeof table;
    table.count = [](grapnel_instance*, std::uint64_t* count) {
      *count = current()->handlers.size();
      return GRAPNEL_OK;
    };
    table.handler = [](grapnel_instance*, std::uint64_t index, const grapnel_event_handler** out) {
      *out = current()->handlers[index];
      return GRAPNEL_OK;
    };
  }
  ~Declared() { current() = nullptr; }

  grapnel_event_argument& add(std::string_view name, std::int32_t type) {
    grapnel_event_argument& argument = storage.emplace_back();
    argument.struct_size = sizeof argument;
    argument.name = text(name);
    argument.type = type;
    arguments.push_back(&argument);
    handler.argument_count = static_cast<std::uint32_t>(arguments.size());
    handler.arguments = arguments.data();
    return argument;
  }
  void attach(InProcessPlugin& plugin) {
    plugin.extension = [this](std::string_view id) -> const void* {
      return id == GRAPNEL_EXT_EVENT ? &table : nullptr;
    };
  }
};

std::string refusal(Declared& declared) {
  InProcessPlugin plugin;
  declared.attach(plugin);
  try {
    plugin.make();
  } catch (const PluginError& error) {
    CHECK(plugin.destroyed == 1);
    return error.what();
  }
  return "not refused";
}

}  // namespace

TEST_CASE("values of every ABI type reach an event handler unchanged") {
  InProcessPlugin plugin;
  Declared declared;
  declared.attach(plugin);
  for (const auto& [name, type] :
       std::vector<std::pair<const char*, std::int32_t>>{{"b", GRAPNEL_VALUE_BOOL},
                                                         {"i", GRAPNEL_VALUE_I64},
                                                         {"f", GRAPNEL_VALUE_F64},
                                                         {"s", GRAPNEL_VALUE_STRING},
                                                         {"t", GRAPNEL_VALUE_TENSOR},
                                                         {"is", GRAPNEL_VALUE_I64_LIST},
                                                         {"fs", GRAPNEL_VALUE_F64_LIST},
                                                         {"ts", GRAPNEL_VALUE_TENSOR_LIST},
                                                         {"any", GRAPNEL_VALUE_NONE},
                                                         {"nothing", GRAPNEL_VALUE_NONE}}) {
    declared.add(name, type);
  }
  int called = 0;
  declared.call = [&](const Caller& caller, const grapnel_value* v) {
    ++called;
    CHECK(v[0].u.i64 == 1);
    CHECK(v[1].u.i64 == 3);
    CHECK(v[2].u.f64 == 4.0);
    CHECK(std::string(v[3].u.string, v[3].size) == "text");
    CHECK(caller.values(v[4].u.tensor) == std::vector<double>{1, 1});
    CHECK(v[5].size == 2);
    CHECK(v[5].u.i64s[1] == 6);
    CHECK(v[6].u.f64s[1] == 7.5);
    CHECK(caller.values(v[7].u.tensors[1]) == std::vector<double>{0});
    CHECK(v[8].tag == GRAPNEL_VALUE_F64_LIST);
    CHECK(v[9].tag == GRAPNEL_VALUE_NONE);
    return GRAPNEL_OK;
  };
  Fabric fabric({.callbacks = {plugin.handle()}});
  fabric.call("on_x", true, 3, 4, "text", at::ones({2}).set_requires_grad(true), StateList{5, 6},
              StateList{7, 7.5}, StateList{at::ones({1}), at::zeros({1})}, StateList{1, 0.5},
              EventValue());
  CHECK(called == 1);
  int own = 0;
  CHECK_THROWS_WITH(fabric.call("on_x", true, 3, 4, "text", at::ones({2}), StateList{5, "six"},
                                StateList{}, StateList{}, 0, 0),
                    "on_x: the argument 'is' must be a list of integers, found a list of 2");
  CHECK_THROWS_WITH(fabric.call("on_x", true, 3, 4, "text", at::ones({2}), StateList{}, StateList{},
                                StateList{}, std::ref(own), 0),
                    "on_x: the argument 'any' must be a value that a plugin can take, found an "
                    "object of class int");
  CHECK(called == 1);
}

TEST_CASE(
    "a handler stays what it was declared as, whatever the plugin writes to its declaration") {
  InProcessPlugin plugin;
  Declared declared;
  declared.attach(plugin);
  grapnel_event_argument& argument = declared.add("i", GRAPNEL_VALUE_I64);
  std::vector<std::int64_t> seen;
  declared.call = [&](const Caller&, const grapnel_value* v) {
    CHECK(v[0].tag == GRAPNEL_VALUE_I64);
    seen.push_back(v[0].u.i64);
    return GRAPNEL_OK;
  };
  Fabric fabric({.callbacks = {plugin.handle()}});
  fabric.call("on_x", 3);
  argument.type = GRAPNEL_VALUE_STRING;
  argument.name = {nullptr, 7};
  fabric.call("on_x", 4);
  declared.handler.arguments = nullptr;
  declared.handler.argument_count = 1000;
  declared.handler.event = {nullptr, 7};
  declared.handler.call = nullptr;
  fabric.call("on_x", 5);
  CHECK(seen == std::vector<std::int64_t>{3, 4, 5});
}

TEST_CASE("whatever a plugin writes to an event's tensors stays with the plugin") {
  CapturedLog log;
  InProcessPlugin plugin;
  Declared declared;
  declared.attach(plugin);
  declared.add("one", GRAPNEL_VALUE_TENSOR);
  declared.add("many", GRAPNEL_VALUE_TENSOR_LIST);
  declared.add("any", GRAPNEL_VALUE_NONE);
  int written = 0;
  declared.call = [&](const Caller& caller, const grapnel_value* v) {
    // Whatever it writes to is its own.
    const auto overwrite = [&](grapnel_tensor* tensor) {
      std::vector<grapnel_value> none;
      CHECK(caller.call("aten::zero_", "", {value_of(tensor)}, none) == GRAPNEL_OK);
      ++written;
    };
    std::vector<grapnel_value> view(1);
    grapnel_tensor* again = nullptr;
    REQUIRE(caller.tensors().retain(caller.host, v[0].u.tensor, &again) == GRAPNEL_OK);
    REQUIRE(caller.call("aten::detach", "", {v[0]}, view) == GRAPNEL_OK);
    for (grapnel_tensor* tensor : {v[0].u.tensor, v[1].u.tensors[0], v[1].u.tensors[1],
                                   v[2].u.tensor, again, view[0].u.tensor}) {
      overwrite(tensor);
    }
    for (grapnel_tensor* own : {again, view[0].u.tensor}) {
      caller.tensors().release(caller.host, own);
    }
    return GRAPNEL_OK;
  };
  const std::vector<at::Tensor> given = {at::ones({2}), at::ones({2}), at::ones({2}),
                                         at::ones({2})};
  Fabric fabric({.callbacks = {plugin.handle()}});
  fabric.call("on_x", given[0], StateList{given[1], given[2]}, given[3]);
  CHECK(written == 6);
  for (const at::Tensor& tensor : given) CHECK(tensor.equal(at::ones({2})));
}

TEST_CASE("a failing event handler fails the call, or is disabled under on_error disable") {
  CapturedLog log;
  InProcessPlugin plugin;
  Declared declared;
  declared.attach(plugin);
  int called = 0;
  declared.call = [&](const Caller& caller, const grapnel_value*) {
    ++called;
    caller.fail("no luck");
    return GRAPNEL_ERROR;
  };
  {
    Fabric fabric({.callbacks = {plugin.handle()}});
    CHECK_THROWS_WITH(fabric.call("on_x"),
                      "plugin 'probe' 1.2.3: callback 'probe' failed in on_x: no luck");
  }
  CallbackHandle lenient = plugin.handle();
  lenient.on_error = OnError::disable;
  Fabric fabric({.callbacks = {lenient}});
  fabric.call("on_x");
  fabric.call("on_x");
  CHECK(called == 2);
  CHECK(log.count("is disabled") == 1);
}

TEST_CASE(
    "an event handler that breaks the contract refuses the plugin at creation, saying what is "
    "wrong") {
  Declared short_handler;
  short_handler.handler.struct_size = 16;
  CHECK_THAT(refusal(short_handler), Contains("a handler of 16 bytes"));
  Declared no_name;
  no_name.handler.event = {};
  CHECK_THAT(refusal(no_name), Contains("the event's name is not 1 to 512 bytes"));
  Declared no_function;
  no_function.handler.call = nullptr;
  CHECK_THAT(refusal(no_function), Contains("the handler of 'on_x' has no function"));
  Declared no_list;
  no_list.handler.argument_count = 2;
  CHECK_THAT(refusal(no_list), Contains("has argument_count 2, but arguments is NULL"));
  Declared bad_type;
  bad_type.add("a", 99);
  CHECK_THAT(refusal(bad_type), Contains("the argument 'a' has the type 99"));
  Declared bad_default;
  grapnel_event_argument& argument = bad_default.add("a", GRAPNEL_VALUE_TENSOR);
  argument.flags = GRAPNEL_EVENT_HAS_DEFAULT;
  argument.default_value.tag = GRAPNEL_VALUE_TENSOR;
  CHECK_THAT(refusal(bad_default), Contains("the default of 'a' has the tag 1"));
  Declared twice;
  twice.handlers.push_back(&twice.handler);
  CHECK_THAT(refusal(twice), Contains("two handlers of 'on_x'"));
  Declared null_handler;
  null_handler.handlers[0] = nullptr;
  CHECK_THAT(refusal(null_handler), Contains("a handler is NULL"));
  Declared short_table;
  short_table.table.struct_size = 8;
  CHECK_THAT(refusal(short_table), Contains("grapnel.event/1 lacks count or handler"));
}

}  // namespace event_test
