#include <grapnel/base/parameters.h>

#include <cmath>
#include <stdexcept>

#include "catch.h"

namespace parameters_test {

using namespace grapnel;
using namespace grapnel::parameter;

namespace {

ParameterTable everything() {
  return {
      "everything",
      "One parameter of each type.",
      {boolean("strict", true).doc("A flag."),
       integer("patience", 3).at_least(0).unit("checks").doc("A count."),
       number("min_delta", 0.0).doc("A number."),
       string("mode", "min").one_of({"min", "max"}).doc("A word."),
       number("threshold").nullable().doc("A number or null."),
       duration("max_time", "00:12:00:00").doc("A duration."),
       boolean_list("flags", {true, false}).doc("Flags."),
       integer_list("milestones", {30, 60}).above(0).doc("Epochs."),
       number_list("betas", {0.9, 0.999}).items(2, 2).at_least(0).below(1).doc("Two numbers."),
       string_list("names", {"a"}).doc("Names."),
       number_map("scheduling", {{0, 1}, {4, 0.5}}).doc("From epoch to factor."),
       either({ParameterType::integer, ParameterType::number}, "limit", 1.0).doc("Count or share."),
       either({ParameterType::number, ParameterType::number_list}, "rates", 0.1).doc("Rates."),
       object("every", ParameterTable("every", "", {integer("steps", 1).above(0).doc("Steps.")}))
           .doc("When."),
       any("theme", nullptr).doc("Whatever.")}};
}

Parameters read(std::string_view json) {
  return everything().validate(parse_json(json, "run.json"), "callbacks.x");
}

}  // namespace

TEST_CASE("parameters that are not given get their defaults") {
  const Parameters p = everything().defaults("x");
  CHECK(p.get<bool>("strict"));
  CHECK(p.get<std::int64_t>("patience") == 3);
  CHECK(p.get<double>("min_delta") == 0.0);
  CHECK(p.get<std::string>("mode") == "min");
  CHECK_FALSE(p.get<std::optional<double>>("threshold").has_value());
  CHECK(p.get<double>("max_time") == 12 * 3600.0);
  CHECK(p.get<std::vector<bool>>("flags") == std::vector<bool>{true, false});
  CHECK(p.get<std::vector<std::int64_t>>("milestones") == std::vector<std::int64_t>{30, 60});
  CHECK(p.get<std::vector<double>>("betas") == std::vector<double>{0.9, 0.999});
  CHECK(p.get<std::vector<std::string>>("names") == std::vector<std::string>{"a"});
  CHECK(p.get<std::map<std::int64_t, double>>("scheduling") ==
        std::map<std::int64_t, double>{{0, 1}, {4, 0.5}});
  CHECK(p.get<Parameters>("every").get<std::int64_t>("steps") == 1);
  CHECK(p.get<ConfigValue>("theme").is_null());
  CHECK_FALSE(p.was_given("patience"));
}

TEST_CASE("given parameters replace defaults, and null means an empty object") {
  const Parameters p = read(R"({"patience": 0, "threshold": 0.25, "max_time": "01:00:00:00",
    "scheduling": {"8": 2, "-1": 3}, "every": {"steps": 7}, "theme": {"bar": "red"}})");
  CHECK(p.get<std::int64_t>("patience") == 0);
  CHECK(p.was_given("patience"));
  CHECK_FALSE(p.was_given("strict"));
  CHECK(p.get<std::optional<double>>("threshold") == 0.25);
  CHECK(p.get<double>("max_time") == 86400.0);
  CHECK(write_json(p.get<ConfigValue>("scheduling")) == R"({"-1":3.0,"8":2.0})");
  CHECK(p.get<Parameters>("every").get<std::int64_t>("steps") == 7);
  CHECK(p.get<ConfigValue>("theme").at("bar").as_string() == "red");
  CHECK(everything().validate(nullptr, "x").get<std::int64_t>("patience") == 3);
}

TEST_CASE("an integer is a number, and infinite bounds can be written") {
  const Parameters p = read(R"({"min_delta": 2, "threshold": "-inf", "max_time": 90.5})");
  CHECK(p.get<double>("min_delta") == 2.0);
  CHECK(p.get<double>("threshold") == -HUGE_VAL);
  CHECK(p.get<double>("max_time") == 90.5);
}

TEST_CASE(
    "where counts and fractions are both accepted, an integer is a count and 1.0 a fraction") {
  CHECK(read(R"({"limit": 1})").kind("limit") == ConfigValue::Kind::integer);
  CHECK(read(R"({"limit": 1.0})").kind("limit") == ConfigValue::Kind::number);
  CHECK(read(R"({"limit": 1})").get<double>("limit") == 1.0);
}

TEST_CASE("a single value is read as a list of one where lists are accepted") {
  CHECK(read(R"({"rates": 0.5})").get<std::vector<double>>("rates") == std::vector<double>{0.5});
  CHECK(read(R"({"rates": [1, 2]})").get<std::vector<double>>("rates") ==
        std::vector<double>{1, 2});
}

TEST_CASE("validating validated parameters changes nothing") {
  const Parameters p =
      read(R"({"max_time": "00:00:00:05", "scheduling": {"4": 1}, "betas": [0, 0.5],
    "threshold": "inf", "every": {"steps": 3}})");
  const ConfigValue stored = parse_json(write_json(p.values()), "stored");
  const Parameters again = everything().validate(stored, "callbacks.x");
  CHECK(write_json(again.values()) == write_json(p.values()));
  CHECK(again.get<double>("threshold") == HUGE_VAL);
}

TEST_CASE("reading a parameter that the table does not declare is a programming error") {
  const Parameters p = read("{}");
  CHECK_THROWS_AS(p.get<bool>("no_such"), std::logic_error);
  CHECK_THROWS_AS(p.get<bool>("patience"), std::logic_error);
  CHECK_THROWS_AS(p.get<std::int64_t>("min_delta"), std::logic_error);
  CHECK_THROWS_AS(p.get<Parameters>("patience"), std::logic_error);
  CHECK_THROWS_AS(p.get<double>("threshold"), std::logic_error);  // null
}

TEST_CASE("a table that contradicts itself is refused when it is made") {
  const auto make = [](ParameterSpec spec) { return ParameterTable("t", "", {std::move(spec)}); };
  CHECK_THROWS_AS(make(integer("a", 1)), std::logic_error);  // no meaning
  CHECK_THROWS_AS(make(integer("a", 1).at_least(2).doc("x")), std::logic_error);
  CHECK_THROWS_AS(make(integer("a").at_least(2).at_most(1).doc("x")), std::logic_error);
  CHECK_THROWS_AS(make(string("a", "x").one_of({"y"}).doc("x")), std::logic_error);
  CHECK_THROWS_AS(make(integer("a", 1).one_of({"y"}).doc("x")), std::logic_error);
  CHECK_THROWS_AS(make(integer("a", 1).items(1, 2).doc("x")), std::logic_error);
  CHECK_THROWS_AS(make(integer("a b", 1).doc("x")), std::logic_error);
  CHECK_THROWS_AS(make(duration("a", "tomorrow").doc("x")), std::logic_error);
  CHECK_THROWS_AS(ParameterTable("t", "", {integer("a", 1).doc("x"), integer("a", 1).doc("x")}),
                  std::logic_error);
}

TEST_CASE("the help of a parameter table shows type, default, range, unit and meaning of each") {
  const ParameterTable table(
      "early_stopping", "Stops.",
      {string("monitor").doc("Name of the metric to watch."),
       integer("patience", 3).at_least(0).unit("checks").doc("Checks without improvement."),
       number("factor", 0.5).above(0).below(1).doc("Factor."),
       string("mode", "min").one_of({"min", "max"}).doc("Which direction is better."),
       number("threshold").nullable().doc("Stops as soon as it is reached.")});
  CHECK(table.to_help() ==
        "  monitor: string, required\n"
        "      Name of the metric to watch.\n"
        "  patience: integer, default 3, at least 0, in checks\n"
        "      Checks without improvement.\n"
        "  factor: number, default 0.5, above 0 and below 1\n"
        "      Factor.\n"
        "  mode: string, default \"min\", one of 'min' or 'max'\n"
        "      Which direction is better.\n"
        "  threshold: number or null, default null\n"
        "      Stops as soon as it is reached.\n");
  CHECK(ParameterTable("t", "", {integer("a", 1).doc("one two three four five six")})
            .to_help(2, 20) ==
        "  a: integer,\n  default 1\n      one two three\n      four five six\n");
}

TEST_CASE("the JSON schema of a parameter table says the same as the table") {
  const ParameterTable table(
      "t", "Sum.",
      {integer("n").at_least(0).unit("steps").doc("N."),
       number("x", 0.5).above(0).at_most(1).doc("X."), number("y").nullable().doc("Y."),
       string_list("s", {}).one_of({"a", "b"}).items(0, 3).doc("S.")});
  CHECK(
      write_json(table.to_schema()) ==
      R"({"$schema":"https://json-schema.org/draft/2020-12/schema","title":"t",)"
      R"("description":"Sum.","type":"object","properties":{)"
      R"("n":{"type":"integer","minimum":0,"description":"N. Unit: steps."},)"
      R"("x":{"type":"number","exclusiveMinimum":0,"maximum":1,"description":"X.","default":0.5},)"
      R"("y":{"anyOf":[{"anyOf":[{"type":"number"},{"enum":["inf","-inf"]}]},{"type":"null"}],)"
      R"("description":"Y.","default":null},)"
      R"("s":{"type":"array","items":{"type":"string","enum":["a","b"]},"minItems":0,"maxItems":3,)"
      R"("description":"S.","default":[]}},"required":["n"],"additionalProperties":false})");
}

}  // namespace parameters_test
