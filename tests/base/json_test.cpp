#include <grapnel/base/json.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "catch.h"
#include "temp_dir.h"

namespace json_test {

using namespace grapnel;
using grapnel::test::TempDir;

namespace {

ConfigValue parse(std::string_view text) {
  return parse_json(text, "t.json");
}

double parsed_double(const std::string& text) {
  return parse(text).as_double();
}

// Any document that parse_json() can make, of bounded depth.
ConfigValue random_value(std::mt19937_64& random, int depth) {
  switch (random() % (depth > 0 ? 7 : 5)) {
    case 0:
      return nullptr;
    case 1:
      return random() % 2 == 0;
    case 2:
      return static_cast<std::int64_t>(random());
    case 3: {
      const double value = std::bit_cast<double>(random());
      return std::isfinite(value) ? value : 0.5;
    }
    case 4: {
      std::string text;
      for (auto n = random() % 8; n > 0; --n) {
        static const std::vector<std::string> parts = {"a", "\"",   "\\",   "\n",     "é",
                                                       "🎣", "\x01", "\x7f", "\u0085", "/"};
        text += parts[random() % parts.size()];
      }
      return text;
    }
    case 5: {
      ConfigValue array = ConfigValue::array();
      for (auto n = random() % 5; n > 0; --n) array.append(random_value(random, depth - 1));
      return array;
    }
    default: {
      ConfigValue object = ConfigValue::object();
      for (auto n = random() % 5; n > 0; --n) {
        object.set("k" + std::to_string(random() % 100), random_value(random, depth - 1));
      }
      return object;
    }
  }
}

}  // namespace

TEST_CASE("a JSON document keeps types, values and the order of keys") {
  const ConfigValue value = parse(R"({"z": 1, "a": -2.5, "m": [true, false, null, "x"], "o": {}})");
  REQUIRE(value.is_object());
  std::string order;
  for (const auto& member : value.as_object()) order += member.key;
  CHECK(order == "zamo");
  CHECK(value.at("z").as_int() == 1);
  CHECK(value.at("a").as_double() == -2.5);
  CHECK(value.at("m").size() == 4);
  CHECK(value.at("m").as_array()[0].as_bool());
  CHECK(value.at("m").as_array()[2].is_null());
  CHECK(value.at("o").is_object());
}

TEST_CASE("JSON integers keep all 64 bits, other numbers become the nearest double") {
  CHECK(parse("9223372036854775807").as_int() == INT64_MAX);
  CHECK(parse("-9223372036854775808").as_int() == INT64_MIN);
  CHECK(parse("1.0").kind() == ConfigValue::Kind::number);
  CHECK(parse("1e3").kind() == ConfigValue::Kind::number);
  // Cases that parsers with approximate powers of ten get wrong by a bit.
  CHECK(parsed_double("9007199254740993.0") == 9007199254740992.0);
  CHECK(parsed_double("8.5e-45") == 8.5e-45);
  CHECK(parsed_double("2.2250738585072011e-308") == 2.2250738585072011e-308);
  CHECK(parsed_double("1.7976931348623157e308") == std::numeric_limits<double>::max());
  CHECK(parsed_double("5e-324") == std::numeric_limits<double>::denorm_min());
  CHECK(parsed_double("1e-400") == 0.0);
  CHECK(std::signbit(parsed_double("-1e-400")));
  CHECK(std::signbit(parsed_double("-0.0")));
}

TEST_CASE("escapes in JSON strings are decoded") {
  CHECK(parse(R"("a\n\t\"\\\/\u00e9\ud83c\udfa3")").as_string() == "a\n\t\"\\/é🎣");
  CHECK(parse(R"("\u0000")").as_string() == std::string(1, '\0'));
}

TEST_CASE("a byte order mark before a JSON document is skipped") {
  CHECK(parse("\xef\xbb\xbf{\"a\": 1}").at("a").as_int() == 1);
  CHECK(parse("\xef\xbb\xbf{\"a\": 1}").at("a").position().column == 7);
}

TEST_CASE("a written document reads back equal, to the last bit") {
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 2000; ++i) {
    const ConfigValue value = random_value(random, 3);
    const std::string text = write_json(value);
    INFO(text);
    CHECK(parse(text) == value);
    CHECK(parse(write_json(value, JsonStyle::pretty)) == value);
  }
}

TEST_CASE("doubles are written short, and always as doubles") {
  CHECK(write_json(0.1) == "0.1");
  CHECK(write_json(1.0) == "1.0");
  CHECK(write_json(-0.0) == "-0.0");
  CHECK(write_json(1e22) == "1e+22");
  CHECK(write_json(5) == "5");
}

TEST_CASE("NaN and infinity are written as strings that read back as those numbers") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  CHECK(write_json(ConfigValue(std::vector<double>{nan, inf, -inf})) == R"(["nan","inf","-inf"])");
  CHECK(std::isnan(parse("\"nan\"").as_double()));
  CHECK(parse("\"inf\"").as_double() == inf);
  CHECK(parse("\"-inf\"").as_double() == -inf);
  CHECK_THROWS_AS(parse("\"Infinity\"").as_double(), ConfigError);
}

TEST_CASE("a pretty-printed document is indented by two spaces and ends in a line break") {
  const ConfigValue value = parse(R"({"a":[1,{"b":null}],"c":[],"d":{}})");
  CHECK(write_json(value, JsonStyle::pretty) ==
        "{\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n  ],\n  \"c\": [],\n  \"d\": "
        "{}\n}\n");
}

TEST_CASE("written JSON is UTF-8 without control characters, whatever the strings contain") {
  CHECK(write_json(ConfigValue("\x1b[2J\x7f")) == "\"\\u001b[2J\\u007f\"");
  CHECK(write_json(ConfigValue("a\xff\x62")) ==
        "\"a\xef\xbf\xbd"
        "b\"");
}

TEST_CASE("JSON documents can be built and changed in code") {
  ConfigValue value;
  value.set("epoch", 3);
  value.set("loss", 0.5);
  value.set("names", ConfigValue(std::vector<std::string>{"a", "b"}));
  value.set("nested", ConfigValue::object()).set("x", true);
  value.set("epoch", 4);
  CHECK(write_json(value) == R"({"epoch":4,"loss":0.5,"names":["a","b"],"nested":{"x":true}})");
  CHECK(value.erase("loss"));
  CHECK_FALSE(value.erase("loss"));
  CHECK(value.size() == 3);
  CHECK(value.find("nope") == nullptr);
  CHECK(ConfigValue(1).find("x") == nullptr);
  CHECK_THROWS_AS(ConfigValue(1).set("x", 2), ConfigError);
  CHECK_THROWS_AS(ConfigValue("s").append(2), ConfigError);
  CHECK_THROWS_AS(ConfigValue(UINT64_MAX), std::out_of_range);
}

TEST_CASE("reading a value as the wrong type says what was found and what is accepted") {
  const ConfigValue value = parse("{\n  \"patience\": \"five\"\n}");
  CHECK_THROWS_WITH(value.at("patience").as_int("patience"),
                    "t.json:2:15: 'patience' must be an integer, found the string 'five'");
  CHECK_THROWS_WITH(value.at("patience").as_array(),
                    "t.json:2:15: expected an array, found the string 'five'");
  CHECK_THROWS_WITH(parse("[1]").as_object(),
                    "t.json:1:1: expected an object, found an array of 1");
  CHECK_THROWS_WITH(parse("2.5").as_int(), "t.json:1:1: expected an integer, found the number 2.5");
  CHECK_THROWS_WITH(parse("null").as_bool("strict"),
                    "t.json:1:1: 'strict' must be true or false, found null");
}

TEST_CASE("the error about a missing key names the nearest key") {
  try {
    static_cast<void>(parse(R"({"max_epochs": 3})").at("max_epoch"));
    FAIL("nothing was thrown");
  } catch (const ConfigError& error) {
    CHECK(error.key == "max_epoch");
    CHECK(error.nearest == "max_epochs");
  }
}

TEST_CASE("limits on the size and depth of a document are enforced") {
  JsonLimits limits;
  limits.max_depth = 3;
  CHECK_NOTHROW(parse_json("[[[1]]]", "t", limits));
  CHECK_THROWS_WITH(parse_json("[[[[1]]]]", "t", limits), Catch::Contains("nested deeper than 3"));
  limits = {};
  limits.max_bytes = 10;
  CHECK_THROWS_WITH(parse_json("[1,2,3,4,5]", "t", limits), Catch::Contains("at most 10 B"));
  limits = {};
  limits.max_values = 5;
  CHECK_NOTHROW(parse_json("[1,2,3,4]", "t", limits));
  CHECK_THROWS_WITH(parse_json("[1,2,3,4,5]", "t", limits), Catch::Contains("more than 5"));
}

TEST_CASE("an absurdly high depth limit is still capped") {
  JsonLimits limits;
  limits.max_depth = SIZE_MAX;
  const std::string deep(1'000'000, '[');
  CHECK_THROWS_AS(parse_json(deep, "t", limits), ConfigError);
}

TEST_CASE("an object of very many keys is read and checked for duplicates in reasonable time") {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += "\"key" + std::to_string(i) + "\":0,";
  CHECK(parse(text + "\"last\":1}").size() == 200'001);
  CHECK_THROWS_WITH(parse(text + "\"key77\":1}"), Catch::Contains("'key77' appears twice"));
}

TEST_CASE("duplicate keys are refused, or the last one is kept where that is asked for") {
  CHECK_THROWS_AS(parse(R"({"a": 1, "b": 2, "a": 3})"), ConfigError);
  CHECK_THROWS_AS(parse(R"({"a": 1, "\u0061": 3})"), ConfigError);
  JsonLimits limits;
  limits.duplicate_keys = DuplicateKeys::keep_last;
  CHECK(write_json(parse_json(R"({"a": 1, "b": 2, "a": 3, "a": 4})", "t", limits)) ==
        R"({"b":2,"a":4})");
}

TEST_CASE("positions in a document read from a file include the file's name") {
  const TempDir dir;
  const auto path = dir.write("run.json", "{\"a\": }");
  try {
    static_cast<void>(read_json_file(path));
    FAIL("nothing was thrown");
  } catch (const ConfigError& error) {
    CHECK(error.file == path.string());
    CHECK(error.line == 1);
    CHECK(error.column == 7);
  }
  CHECK_THROWS_AS(read_json_file(dir / "missing.json"), IoError);
}

}  // namespace json_test
