// User-defined events through the wrapper: what a class declares is what the host sees, and what the
// host gives is what the class's function gets.
#include "catch.h"
#include "wrapped.h"

namespace custom_event_test {

using namespace grapnel::test;
using grapnel::plugin::Callback;
using grapnel::plugin::Error;
using grapnel::plugin::Tensor;

namespace {

struct Listener final : Callback {
  Listener() {
    on("on_all", &Listener::all,
       {"number", "count", {"flag", true}, {"tag", "train"}, {"maybe", std::nullopt}});
    on("on_lists", &Listener::lists, {"numbers", "integers", "tensor", "tensors"});
    on("on_nothing", &Listener::nothing);
    on("on_small", &Listener::small, {{"value", -1}, {"scale", 0.5}});
  }
  void all(CustomEvent& event, double number, std::int64_t count, bool flag, std::string_view tag,
           std::optional<double> maybe) {
    event.log_info(std::string(event.name()) + " " + std::to_string(number) + " " +
                   std::to_string(count) + (flag ? " yes " : " no ") + std::string(tag) +
                   (maybe ? " " + std::to_string(*maybe) : " none"));
  }
  void lists(const std::vector<double>& numbers, const std::vector<std::int64_t>& integers,
             const Tensor& tensor, const std::vector<Tensor>& tensors) {
    if (numbers != std::vector<double>{0.5, 1.5} || integers != std::vector<std::int64_t>{7} ||
        tensor.item() != 3 || tensors.size() != 2 || tensors[1].item() != 5) {
      throw std::runtime_error("other lists");
    }
  }
  int nothing() const { throw Error("nothing to do"); }
  void small(std::uint8_t value, float) { last = value; }
  int last = 0;
};

struct Miscounted final : Callback {
  Miscounted() { on("on_x", &Miscounted::x, {"a"}); }
  void x(int, int) {}
};

struct Silent final : Callback {};

grapnel_value number(double value) {
  grapnel_value made{};
  made.tag = GRAPNEL_VALUE_F64;
  made.u.f64 = value;
  return made;
}
grapnel_value integer(std::int64_t value, std::int32_t tag = GRAPNEL_VALUE_I64) {
  grapnel_value made{};
  made.tag = tag;
  made.u.i64 = value;
  return made;
}
grapnel_value string(std::string_view value) {
  grapnel_value made{};
  made.tag = GRAPNEL_VALUE_STRING;
  made.size = value.size();
  made.u.string = value.data();
  return made;
}

}  // namespace

TEST_CASE("a handler's arguments are declared with their types and defaults") {
  RecordingHost host;
  RunningCallback listener(host, plugin_of<Listener>(), "it");
  CHECK(listener.events() ==
        std::vector<std::string>{"on_all", "on_lists", "on_nothing", "on_small"});
  const grapnel_event_handler* all = listener.event_handler("on_all");
  REQUIRE(all->argument_count == 5);
  const auto argument = [&](int i) -> const grapnel_event_argument& { return *all->arguments[i]; };
  CHECK(text(argument(0).name) == "number");
  CHECK(argument(0).type == GRAPNEL_VALUE_F64);
  CHECK(argument(0).flags == 0);
  CHECK(argument(1).type == GRAPNEL_VALUE_I64);
  CHECK(argument(2).type == GRAPNEL_VALUE_BOOL);
  CHECK(argument(2).flags == GRAPNEL_EVENT_HAS_DEFAULT);
  CHECK(argument(2).default_value.tag == GRAPNEL_VALUE_BOOL);
  CHECK(argument(2).default_value.u.i64 == 1);
  CHECK(argument(3).type == GRAPNEL_VALUE_STRING);
  CHECK(text({argument(3).default_value.u.string, argument(3).default_value.size}) == "train");
  CHECK(argument(4).type == GRAPNEL_VALUE_F64);
  CHECK(argument(4).flags == GRAPNEL_EVENT_HAS_DEFAULT);
  CHECK(argument(4).default_value.tag == GRAPNEL_VALUE_NONE);
  const grapnel_event_handler* small = listener.event_handler("on_small");
  CHECK(small->arguments[0]->default_value.u.i64 == -1);
  CHECK(small->arguments[1]->default_value.u.f64 == 0.5);
}

TEST_CASE("event arguments arrive as the handler's own types") {
  RecordingHost host;
  RunningCallback listener(host, plugin_of<Listener>(), "it");
  CHECK(listener.fire_event("on_all", {number(0.5), integer(3), integer(0, GRAPNEL_VALUE_BOOL),
                                       string("val"), number(2)}) == GRAPNEL_OK);
  CHECK(listener.fire_event("on_all", {number(1), integer(4), integer(1, GRAPNEL_VALUE_BOOL),
                                       string(""), grapnel_value{}}) == GRAPNEL_OK);
  CHECK(host.log == std::vector<std::string>{"info: on_all 0.500000 3 no val 2.000000",
                                             "info: on_all 1.000000 4 yes  none"});
}

TEST_CASE("lists and tensors of an event arrive complete, and no handle leaks") {
  RecordingHost host;
  {
    RunningCallback listener(host, plugin_of<Listener>(), "it");
    const std::vector<double> numbers{0.5, 1.5};
    const std::vector<std::int64_t> integers{7};
    grapnel_tensor* lent[] = {host.new_handle(FakeTensor::scalar(3)),
                              host.new_handle(FakeTensor::scalar(4)),
                              host.new_handle(FakeTensor::scalar(5))};
    const std::int64_t before = host.live_handles;
    std::vector<grapnel_value> values(4);
    values[0].tag = GRAPNEL_VALUE_F64_LIST;
    values[0].size = 2;
    values[0].u.f64s = numbers.data();
    values[1].tag = GRAPNEL_VALUE_I64_LIST;
    values[1].size = 1;
    values[1].u.i64s = integers.data();
    values[2].tag = GRAPNEL_VALUE_TENSOR;
    values[2].u.tensor = lent[0];
    values[3].tag = GRAPNEL_VALUE_TENSOR_LIST;
    values[3].size = 2;
    values[3].u.tensors = lent + 1;
    CHECK(listener.fire_event("on_lists", values) == GRAPNEL_OK);
    CHECK(host.failures.empty());
    CHECK(host.live_handles == before);
    for (grapnel_tensor* handle : lent) host.drop(handle);
  }
}

TEST_CASE("an event handler that throws fails with its text, as a hook does") {
  RecordingHost host;
  RunningCallback listener(host, plugin_of<Listener>(), "it");
  CHECK(listener.fire_event("on_nothing") == GRAPNEL_ERROR);
  CHECK(host.failures == std::vector<std::string>{"nothing to do"});
  CHECK(listener.fire_event("on_small", {integer(255), number(1)}) == GRAPNEL_OK);
  for (const std::int64_t bad : {std::int64_t{256}, std::int64_t{-1}}) {
    CHECK(listener.fire_event("on_small", {integer(bad), number(1)}) == GRAPNEL_ERROR);
  }
  CHECK(host.failures.back() == "the integer -1 is out of the handler's range");
}

TEST_CASE(
    "an event handler that names more or fewer arguments than its function takes is refused") {
  RecordingHost host;
  CHECK_THROWS_WITH(RunningCallback(host, plugin_of<Miscounted>(), "it"),
                    Catch::Matchers::Contains("takes 2 arguments, but 1 are named"));
}

TEST_CASE("a class without handlers has no extension event") {
  RecordingHost host;
  RunningCallback silent(host, plugin_of<Silent>(), "it");
  CHECK(silent.events().empty());
}

}  // namespace custom_event_test
