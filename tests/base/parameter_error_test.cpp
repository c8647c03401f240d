// What a person reads who got a parameter wrong.
#include <grapnel/base/parameters.h>

#include "catch.h"

namespace parameter_error_test {

using namespace grapnel;
using namespace grapnel::parameter;

namespace {

const ParameterTable& table() {
  static const ParameterTable instance(
      "early_stopping", "",
      {string("monitor").doc("Name of the metric to watch."),
       integer("patience", 3).at_least(0).unit("checks").doc("Checks without improvement."),
       string("mode", "min").one_of({"min", "max"}).doc("Which direction is better."),
       number("factor", 0.5).above(0).below(1).nullable().doc("Factor."),
       number_list("betas", {0.9, 0.999}).items(2, 2).at_least(0).doc("Two numbers."),
       duration("max_time", "00:00:00:01").doc("Duration."),
       number_map("scheduling", {}).at_least(0).doc("Factors."),
       object("every", ParameterTable("every", "", {integer("steps", 1).above(0).doc("Steps.")}))
           .doc("When.")});
  return instance;
}

// The error that `"key": value` gives, after its position.
std::string error_of(std::string_view members) {
  const std::string text = "{\"monitor\": \"loss\", " + std::string(members) + "}";
  try {
    static_cast<void>(table().validate(parse_json(text, "r"), "early_stopping"));
  } catch (const ConfigError& error) {
    CHECK(error.line == 1);
    CHECK(error.column > 20);
    CHECK(std::string_view(error.key).starts_with("early_stopping."));
    const std::string what = error.what();
    return what.substr(what.find(": ") + 2);
  }
  return "accepted";
}

}  // namespace

TEST_CASE(
    "the error about an unknown parameter names its position, the nearest one and all others") {
  const ConfigValue json =
      parse_json("{\"callbacks\": {\n  \"monitor\": \"x\",\n    \"patiense\": 3}}", "run.json");
  try {
    static_cast<void>(table().validate(json.at("callbacks"), "callbacks.early_stopping"));
    FAIL("nothing was thrown");
  } catch (const ConfigError& error) {
    CHECK(std::string(error.what()) ==
          "run.json:3:5: unknown key 'patiense' in callbacks.early_stopping; did you mean "
          "'patience'? Known: monitor, patience, mode, factor, betas, max_time, scheduling, every");
    CHECK(error.key == "callbacks.early_stopping.patiense");
    CHECK(error.nearest == "patience");
    CHECK(error.line == 3);
    CHECK(error.column == 5);
  }
}

TEST_CASE("a parameter of the wrong type is an error saying what was found and what is accepted") {
  CHECK(error_of(R"("patience": "five")") ==
        "early_stopping.patience must be an integer, found the string 'five'");
  CHECK(error_of(R"("patience": 2.5)") ==
        "early_stopping.patience must be an integer, found the number 2.5");
  CHECK(error_of(R"("patience": null)") ==
        "early_stopping.patience must be an integer, found null");
  CHECK(error_of(R"("factor": true)") ==
        "early_stopping.factor must be a number or null, found true");
  CHECK(error_of(R"("factor": "nan")") ==
        "early_stopping.factor must be a number or null, found the string 'nan'");
  CHECK(error_of(R"("max_time": "12 hours")") ==
        "early_stopping.max_time must be a duration (\"DD:HH:MM:SS\" or seconds), found the string "
        "'12 hours'");
  CHECK(error_of(R"("betas": [0.5, "x"])") ==
        "early_stopping.betas must be a list of numbers, found the string 'x' as element 1");
  CHECK(error_of(R"("every": 5)") == "early_stopping.every must be an object, found the integer 5");
}

TEST_CASE("a parameter out of range is an error saying the range") {
  CHECK(error_of(R"("patience": -1)") ==
        "early_stopping.patience must be at least 0, found the integer -1");
  CHECK(error_of(R"("factor": 1)") ==
        "early_stopping.factor must be above 0 and below 1, found the integer 1");
  CHECK(error_of(R"("factor": "inf")") ==
        "early_stopping.factor must be above 0 and below 1, found the string 'inf'");
  CHECK(error_of(R"("betas": [0.5, -1])") ==
        "early_stopping.betas must be at least 0, found the integer -1");
  CHECK(error_of(R"("betas": [0.5])") == "early_stopping.betas must have 2 items, found 1");
  CHECK(error_of(R"("scheduling": {"four": 1})") ==
        "the keys of early_stopping.scheduling must be integers, found 'four'");
  CHECK(error_of(R"("scheduling": {"04": 1})") ==
        "the keys of early_stopping.scheduling must be integers, found '04'");
}

TEST_CASE("an invalid choice is an error that lists the choices and names the nearest") {
  CHECK(error_of(R"("mode": "mxa")") ==
        "early_stopping.mode must be 'min' or 'max', found the string 'mxa'; did you mean 'max'?");
}

TEST_CASE("an error in a nested group names the whole path") {
  CHECK(error_of(R"("every": {"steps": 0})") ==
        "early_stopping.every.steps must be above 0, found the integer 0");
  CHECK(error_of(R"("every": {"step": 1})") ==
        "unknown key 'step' in early_stopping.every; did you mean 'steps'? Known: steps");
}

TEST_CASE("a missing required parameter says what it is for") {
  CHECK_THROWS_WITH(
      table().validate(parse_json("\n {}", "run.json"), "early_stopping"),
      "run.json:2:2: the key 'monitor' is required in early_stopping (string): Name of "
      "the metric to watch.");
  CHECK_THROWS_WITH(table().validate(parse_json("[1]", "r"), "early_stopping"),
                    "r:1:1: early_stopping must be an object, found an array of 1");
}

TEST_CASE(
    "an error in a combination of parameters points at the value, or at the group if it was not "
    "given") {
  const Parameters p =
      table().validate(parse_json("{\"monitor\": \"x\",\n \"factor\": 0.5}", "r"), "stop");
  CHECK(std::string(p.error("factor", "is too small for this").what()) ==
        "r:2:12: stop.factor: is too small for this");
  CHECK(std::string(p.error("patience", "no").what()) == "r:1:1: stop.patience: no");
  CHECK(p.error("patience", "no").key == "stop.patience");
}

TEST_CASE("errors in values from the command line say so") {
  ConfigValue root = parse_json(R"({"monitor": "x"})", "run.json");
  set_by_path(root, "patience=-2");
  CHECK_THROWS_WITH(table().validate(root, "stop"),
                    "--set patience: stop.patience must be at least 0, found the integer -2");
}

}  // namespace parameter_error_test
