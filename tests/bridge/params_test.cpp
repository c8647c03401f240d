// Extension params: the values of run.json, checked by the table in the manifest.
#include <grapnel/ext/params.h>

#include <limits>

#include <grapnel/base/error.h>
#include <grapnel/base/json.h>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"

namespace params_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

constexpr const char* kTable = R"({
  "count": {"type": "integer", "default": 3, "minimum": 1, "doc": "A count."},
  "rate": {"type": "number", "default": 0.5, "doc": "A rate."},
  "limit": {"type": "number", "nullable": true, "doc": "A limit."},
  "flag": {"type": "boolean", "default": true, "doc": "A flag."},
  "mode": {"type": "string", "default": "min", "doc": "A mode."},
  "wait": {"type": "duration", "default": "00:00:01:30", "doc": "A time."},
  "sizes": {"type": "list of integer", "default": [4, 5], "doc": "Sizes."},
  "rates": {"type": "list of number", "default": [0.25, 1], "doc": "Rates."},
  "names": {"type": "list of string", "default": ["a", "b"], "doc": "Names."},
  "flags": {"type": "list of boolean", "default": [false, true], "doc": "Flags."}
})";

// Runs the body in create, where parameters are readable already.
template <class Body>
void with_params(const std::string& given, Body body) {
  InProcessPlugin plugin(kTable);
  plugin.create = [&](const Caller& caller) {
    body(caller.table<grapnel_params>(GRAPNEL_EXT_PARAMS), caller.host);
    return GRAPNEL_OK;
  };
  plugin.make({.parameters = parse_json(given, "run.json")});
  REQUIRE(plugin.created == 1);
}

grapnel_string name(const char* value) {
  return text(std::string_view(value));
}

}  // namespace

TEST_CASE("parameters that the user left out have their defaults") {
  with_params("{}", [](const grapnel_params& params, const grapnel_host* host) {
    std::int64_t count = 0;
    double rate = 0, wait = 0, as_number = 0;
    std::int32_t flag = 0;
    grapnel_string mode{};
    CHECK(params.get_i64(host, name("count"), &count) == GRAPNEL_OK);
    CHECK(count == 3);
    CHECK(params.get_f64(host, name("rate"), &rate) == GRAPNEL_OK);
    CHECK(rate == 0.5);
    CHECK(params.get_f64(host, name("count"), &as_number) == GRAPNEL_OK);
    CHECK(as_number == 3.0);
    CHECK(params.get_f64(host, name("wait"), &wait) == GRAPNEL_OK);
    CHECK(wait == 90.0);
    CHECK(params.get_bool(host, name("flag"), &flag) == GRAPNEL_OK);
    CHECK(flag == 1);
    CHECK(params.get_string(host, name("mode"), &mode) == GRAPNEL_OK);
    CHECK(text(mode) == "min");
    CHECK(params.get_f64(host, name("limit"), &rate) == GRAPNEL_NOT_FOUND);
  });
}

TEST_CASE("a plugin reads the parameter values that the user gave") {
  with_params(R"({"count": 7, "rate": 2, "limit": "inf", "flag": false, "mode": "größer"})",
              [](const grapnel_params& params, const grapnel_host* host) {
                std::int64_t count = 0;
                double rate = 0, limit = 0;
                std::int32_t flag = 1;
                grapnel_string mode{};
                params.get_i64(host, name("count"), &count);
                params.get_f64(host, name("rate"), &rate);
                params.get_bool(host, name("flag"), &flag);
                params.get_string(host, name("mode"), &mode);
                CHECK(params.get_f64(host, name("limit"), &limit) == GRAPNEL_OK);
                CHECK(count == 7);
                CHECK(rate == 2.0);
                CHECK(limit == std::numeric_limits<double>::infinity());
                CHECK(flag == 0);
                CHECK(text(mode) == "größer");
              });
}

TEST_CASE("list parameters are read item by item") {
  with_params("{}", [](const grapnel_params& params, const grapnel_host* host) {
    std::uint64_t size = 0;
    std::int64_t second = 0;
    double rate = 0;
    std::int32_t flag = 0;
    grapnel_string item{};
    CHECK(params.list_size(host, name("sizes"), &size) == GRAPNEL_OK);
    CHECK(size == 2);
    CHECK(params.list_i64(host, name("sizes"), 1, &second) == GRAPNEL_OK);
    CHECK(second == 5);
    CHECK(params.list_i64(host, name("sizes"), 2, &second) == GRAPNEL_NOT_FOUND);
    CHECK(params.list_f64(host, name("rates"), 1, &rate) == GRAPNEL_OK);
    CHECK(rate == 1.0);
    CHECK(params.list_string(host, name("names"), 0, &item) == GRAPNEL_OK);
    CHECK(text(item) == "a");
    CHECK(params.list_bool(host, name("flags"), 1, &flag) == GRAPNEL_OK);
    CHECK(flag == 1);
  });
}

TEST_CASE("reading an undeclared parameter, or with another type, is refused and logged") {
  CapturedLog log;
  with_params("{}", [](const grapnel_params& params, const grapnel_host* host) {
    std::int64_t integer = 0;
    std::uint64_t size = 0;
    CHECK(params.get_i64(host, name("cuont"), &integer) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(params.get_i64(host, name("mode"), &integer) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(params.get_i64(host, name("rate"), &integer) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(params.list_size(host, name("count"), &size) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(params.get_i64(host, name("count"), nullptr) == GRAPNEL_INVALID_ARGUMENT);
  });
  CHECK(log.count("plugin.json declares no parameter 'cuont'") == 1);
  CHECK(log.count("the parameter 'mode' is the string 'min', not an integer") == 1);
}

TEST_CASE(
    "a parameter out of range is an error that names its place in run.json, and no instance is "
    "made") {
  InProcessPlugin plugin(kTable);
  const auto make = [&](const char* given) {
    plugin.make({.parameters = parse_json(given, "run.json")});
  };
  CHECK_THROWS_AS(make(R"({"count": 0})"), ConfigError);
  CHECK_THROWS_WITH(make("{\n \"count\": 0}"),
                    Catch::Contains("run.json:2:") && Catch::Contains("callbacks.probe.count"));
  CHECK_THROWS_WITH(make(R"({"cuont": 4})"), Catch::Contains("'count'"));
  CHECK(plugin.created == 0);
}

}  // namespace params_test
