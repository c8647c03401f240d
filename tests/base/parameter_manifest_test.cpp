#include <grapnel/base/parameters.h>

#include "catch.h"

namespace parameter_manifest_test {

using namespace grapnel;
using namespace grapnel::parameter;

namespace {

ParameterTable from(std::string_view json, std::vector<std::string>* warnings = nullptr) {
  return ParameterTable::from_manifest(parse_json(json, "plugin.json"), "nan_guard", "Guards.",
                                       warnings);
}

std::string error_of(std::string_view json) {
  try {
    static_cast<void>(from(json));
  } catch (const ConfigError& error) {
    CHECK(error.line > 0);
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a manifest's parameters become a table that validates") {
  const ParameterTable table = from(R"({
    "patience": {"type": "integer", "default": 1, "minimum": 1, "unit": "batches",
                 "identifying": true, "doc": "Batches before the run stops."},
    "path": {"type": ["string", "list of string"], "doc": "Where."},
    "factor": {"type": "number", "nullable": true, "exclusive_minimum": 0, "exclusive_maximum": 1,
               "doc": "Factor."}})");
  CHECK(table.find("patience")->is_identifying);
  CHECK(table.find("path")->is_required());
  CHECK_FALSE(table.find("factor")->is_required());
  const Parameters p = table.validate(parse_json(R"({"path": "x", "factor": 0.5})", "r"), "c");
  CHECK(p.get<std::int64_t>("patience") == 1);
  CHECK(p.get<std::vector<std::string>>("path") == std::vector<std::string>{"x"});
  CHECK_THROWS_AS(table.validate(parse_json(R"({"path": "x", "factor": 1})", "r"), "c"),
                  ConfigError);
}

TEST_CASE("a table goes to a manifest and back without loss") {
  const ParameterTable table(
      "t", "Sum.",
      {boolean("a", true).doc("A."), integer("b").at_least(-5).at_most(5).unit("steps").doc("B."),
       number("c", 0.25).above(0).below(1).identifying().doc("C."),
       string("d", "x").one_of({"x", "y"}).doc("D."), duration("e", "00:00:01:00").doc("E."),
       integer_list("f", {1, 2}).items(1, 4).doc("F."), number_map("g", {{4, 0.5}}).doc("G."),
       either({ParameterType::integer, ParameterType::number}, "h", 1.0).nullable().doc("H."),
       object("i", ParameterTable("i", "I.", {integer("j", 1).doc("J.")})).doc("I."),
       any("k", ConfigValue(std::vector<int>{1})).doc("K."), number("l").nullable().doc("L.")});
  const ConfigValue manifest = table.to_manifest();
  const ParameterTable back =
      ParameterTable::from_manifest(parse_json(write_json(manifest), "m"), "t", "Sum.");
  CHECK(back.to_manifest() == manifest);
  CHECK(back.to_help() == table.to_help());
  CHECK(back.to_schema() == table.to_schema());
}

TEST_CASE("each unknown key of a manifest's parameter is ignored with a warning") {
  std::vector<std::string> warnings;
  const ParameterTable table =
      from(R"({"a": {"type": "any", "default": 1, "doc": "A.", "since": "2.0"}})", &warnings);
  CHECK(table.specs().size() == 1);
  CHECK(warnings == std::vector<std::string>{
                        "plugin.json:1:50: unknown key 'since' of parameter 'a' is ignored"});
}

TEST_CASE("a manifest that contradicts itself is refused where it does") {
  CHECK(
      error_of(R"({"a": {"type": "integr", "doc": "A."}})") ==
      "plugin.json:1:16: unknown type 'integr'; did you mean 'integer'? Types: boolean, integer, "
      "number, string, duration, list of boolean, list of integer, list of number, list of string, "
      "map of number, object, any");
  CHECK(error_of(R"({"a": {"doc": "A."}})") == "plugin.json:1:7: the key 'type' is missing");
  CHECK(error_of(R"({"a": {"type": "any"}})") == "plugin.json:1:7: the key 'doc' is missing");
  CHECK(error_of(R"({"a": 5})") == "plugin.json:1:7: 'a' must be an object, found the integer 5");
  CHECK(error_of(R"([])") ==
        "plugin.json:1:1: 'parameters' must be an object, found an array of 0");
  CHECK(error_of(R"({"a": {"type": "integer", "doc": "A.", "default": "x"}})") ==
        "plugin.json:1:51: a must be an integer, found the string 'x'");
  CHECK(error_of(R"({"a": {"type": "integer", "doc": "A.", "default": 1, "minimum": 2}})") ==
        "plugin.json:1:51: a must be at least 2, found the integer 1");
  CHECK(error_of(R"({"a": {"type": "integer", "doc": "A.", "minimum": 2, "maximum": 1}})") ==
        "plugin.json:1:2: parameter 'a' has an empty range");
  CHECK(
      error_of(
          R"({"a": {"type": "integer", "doc": "A.", "minimum": 2, "exclusive_minimum": 1}})") ==
      "plugin.json:1:75: 'minimum' and 'exclusive_minimum' exclude one another; keep one of them");
  CHECK(error_of(R"({"a": {"type": "object", "doc": "A."}})") ==
        "plugin.json:1:2: parameter 'a' needs a table of fields if, and only if, it is an object");
  CHECK(error_of(R"({"a b": {"type": "any", "doc": "A."}})") ==
        "plugin.json:1:2: 'a b' is not a name of letters, digits and '_'");
  CHECK(error_of(R"({"a": {"type": [], "doc": "A."}})") ==
        "plugin.json:1:2: parameter 'a' accepts no type");
}

}  // namespace parameter_manifest_test
