#include "grapnel/event_handlers.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/fabric.h"

namespace event_handlers_test {

using namespace grapnel;

namespace {

// Reports each call in words.
struct Speaker : EventHandlers {
  std::vector<std::string> said;
};

struct Shape {
  int corners = 4;
};

template <class F>
std::string config_error(F&& call) {
  try {
    call();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no ConfigError";
}

}  // namespace

TEST_CASE(
    "an event handler gets its arguments by position, name or default, converted to its types") {
  auto speaker = std::make_shared<Speaker>();
  speaker->on("on_x",
              [&](double loss, int64_t step, const std::string& tag, bool last) {
                speaker->said.push_back(fmt::format("{} {} {} {}", loss, step, tag, last));
              },
              {"loss", "step", {"tag", "train"}, {"last", false}});
  Fabric fabric({.callbacks = {speaker}});
  fabric.call("on_x", 0.5, 3);
  fabric.call("on_x", arg("step", 4), arg("loss", at::tensor(2.0F)), arg("last", true));
  fabric.call("on_x", 1, arg("tag", "val"), arg("step", at::tensor(int64_t{9})));
  CHECK(speaker->said ==
        std::vector<std::string>{"0.5 3 train false", "2 4 train true", "1 9 val false"});
}

TEST_CASE("a member function can handle an event") {
  struct Counter : EventHandlers {
    Counter() {
      on("count", &Counter::count, {{"by", 1}});
      on("show", &Counter::show);
    }
    void count(int by) { total += by; }
    int show() const { return ++shown; }
    int total = 0;
    mutable int shown = 0;
  };
  auto counter = std::make_shared<Counter>();
  Fabric fabric({.callbacks = {counter}});
  fabric.call("count");
  fabric.call("count", 4);
  fabric.call("show");
  CHECK(counter->total == 5);
  CHECK(counter->shown == 1);
}

TEST_CASE("an event's objects are passed by reference, and only as their exact type") {
  auto speaker = std::make_shared<Speaker>();
  speaker->on("grow", [](Shape& shape) { ++shape.corners; }, {"shape"});
  speaker->on("look",
              [&](const Shape& shape) { speaker->said.push_back(std::to_string(shape.corners)); },
              {"shape"});
  Fabric fabric({.callbacks = {speaker}});
  Shape shape;
  fabric.call("grow", std::ref(shape));
  fabric.call("look", std::cref(shape));
  CHECK(speaker->said == std::vector<std::string>{"5"});
  const std::string refused = config_error([&] { fabric.call("grow", std::cref(shape)); });
  CHECK(refused ==
        "grow: the argument 'shape' must be an object of the handler's class, passed by std::ref, "
        "found a const object of class Shape");
  CHECK_THROWS_AS(fabric.call("grow", 3), ConfigError);
}

TEST_CASE("event handlers take optional arguments, any value, tensors and dicts") {
  auto speaker = std::make_shared<Speaker>();
  speaker->on(
      "on_x",
      [&](std::optional<double> maybe, const EventValue& any, const at::Tensor& tensor,
          const StateDict& results) {
        speaker->said.push_back(fmt::format("{} {} {} {}", maybe.has_value(), any.describe(),
                                            tensor.numel(), results.at("acc").to_double()));
      },
      {{"maybe", std::nullopt}, "any", "tensor", "results"});
  Fabric fabric({.callbacks = {speaker}});
  fabric.call("on_x", arg("any", "text"), arg("tensor", at::zeros({2, 3})),
              arg("results", StateDict{{"acc", 0.5}}));
  fabric.call("on_x", 1.0, 2, at::ones({1}), StateDict{{"acc", 1.0}});
  CHECK(speaker->said ==
        std::vector<std::string>{"false the string 'text' 6 0.5", "true the integer 2 1 1"});
}

TEST_CASE("lists of one type are taken as vectors, and refused for an item of another") {
  auto speaker = std::make_shared<Speaker>();
  speaker->on(
      "on_x",
      [&](const std::vector<double>& losses, const std::vector<int64_t>& steps,
          const std::vector<at::Tensor>& tensors) {
        speaker->said.push_back(fmt::format("{} {} {}", losses.at(1), steps.at(0), tensors.size()));
      },
      {"losses", "steps", {"tensors", StateList{}}});
  Fabric fabric({.callbacks = {speaker}});
  fabric.call("on_x", StateList{1, 2.5}, StateList{7}, StateList{at::ones({1})});
  fabric.call("on_x", StateList{1, 2}, StateList{7});
  CHECK(speaker->said == std::vector<std::string>{"2.5 7 1", "2 7 0"});
  CHECK(config_error([&] { fabric.call("on_x", StateList{}, StateList{1.5}); }) ==
        "on_x: the argument 'steps' must be a list of integers, found a list of 1");
}

TEST_CASE("an event handler with EventArguments gets the remaining arguments") {
  auto speaker = std::make_shared<Speaker>();
  speaker->on("on_x",
              [&](int64_t first, const EventArguments& rest) {
                std::string text = fmt::format("{} +{}", first, rest.positional.size());
                for (const NamedArgument& argument : rest.named) text += " " + argument.name;
                speaker->said.push_back(text);
              },
              {"first"});
  Fabric fabric({.callbacks = {speaker}});
  fabric.call("on_x", 1, 2, 3, arg("a", 1), arg("b", 2));
  fabric.call("on_x", arg("b", 2), arg("first", 7));
  CHECK(speaker->said == std::vector<std::string>{"1 +2 a b", "7 +0 b"});
}

TEST_CASE("an event handler doesn't get arguments that it doesn't name") {
  auto speaker = std::make_shared<Speaker>();
  speaker->on("on_x", [&](int64_t a) { speaker->said.push_back(std::to_string(a)); }, {"a"});
  Fabric fabric({.callbacks = {speaker}});
  fabric.call("on_x", arg("a", 1), arg("b", 2));
  CHECK(speaker->said == std::vector<std::string>{"1"});
}

TEST_CASE("a missing event argument is an error that names the known ones and a likely typo") {
  auto speaker = std::make_shared<Speaker>();
  speaker->on("on_x", [](double, double) {}, {"loss", {"scale", 1.0}});
  Fabric fabric({.callbacks = {speaker}});
  CHECK(config_error([&] { fabric.call("on_x", arg("los", 1.0)); }) ==
        "Speaker's on_x needs the argument 'loss'; is 'los' a typo of it? It takes 'loss' and "
        "'scale'; given: 0 positional, 'los' by name");
  try {
    fabric.call("on_x", arg("los", 1.0));
  } catch (const ConfigError& error) {
    CHECK(error.key == "loss");
    CHECK(error.nearest == "los");
  }
}

TEST_CASE("event arguments of the wrong type, surplus ones and repeated ones are refused by name") {
  auto speaker = std::make_shared<Speaker>();
  speaker->on("on_x", [](int64_t, const std::string&) {}, {"step", {"tag", ""}});
  speaker->on("on_y", [](int8_t) {}, {"small"});
  Fabric fabric({.callbacks = {speaker}});
  CHECK(config_error([&] { fabric.call("on_x", 1.5); }) ==
        "on_x: the argument 'step' must be an integer, found the number 1.5");
  CHECK(config_error([&] { fabric.call("on_x", 1, 2); }) ==
        "on_x: the argument 'tag' must be a string, found the integer 2");
  CHECK(config_error([&] { fabric.call("on_x", 1, "a", 3); }) ==
        "Speaker's on_x takes 2 positional arguments ('step' and 'tag'), got 3");
  CHECK(config_error([&] { fabric.call("on_x", 1, arg("step", 2)); }) ==
        "Speaker's on_x got the argument 'step' twice, by position and by name");
  CHECK(config_error([&] { fabric.call("on_x", arg("step", 2), arg("step", 3)); }) ==
        "Speaker's on_x got the argument 'step' twice");
  CHECK_THROWS_AS(fabric.call("on_y", 1000), ConfigError);
}

TEST_CASE("an event handler that names more or fewer arguments than it takes is refused") {
  Speaker speaker;
  CHECK(config_error([&] { speaker.on("on_x", [](int, int) {}, {"a"}); }) ==
        "the handler of 'on_x' takes 2 arguments, but 1 are named; name each of them, in order");
}

TEST_CASE("a derived class's event handler replaces its base's") {
  Speaker speaker;
  speaker.on("on_x", [&] { speaker.said.emplace_back("base"); });
  speaker.on("on_x", [&](int) { speaker.said.emplace_back("derived"); }, {"a"});
  REQUIRE(speaker.handlers().size() == 1);
  CHECK(speaker.find_handler("on_x")->parameters.size() == 1);
  CHECK(speaker.find_handler("on_y") == nullptr);
}

}  // namespace event_handlers_test
