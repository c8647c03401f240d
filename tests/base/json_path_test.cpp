// `--set` of the command line.
#include <grapnel/base/json.h>

#include "catch.h"

namespace json_path_test {

using namespace grapnel;

namespace {

std::string after(std::string_view document, std::string_view assignment) {
  ConfigValue root = parse_json(document, "run.json");
  set_by_path(root, assignment);
  return write_json(root);
}

}  // namespace

TEST_CASE("a value is set at its dotted path, as JSON or else as a string") {
  CHECK(after(R"({"trainer":{"max_epochs":1,"x":2}})", "trainer.max_epochs=5") ==
        R"({"trainer":{"max_epochs":5,"x":2}})");
  CHECK(after("{}", "a=0.5") == R"({"a":0.5})");
  CHECK(after("{}", "a=true") == R"({"a":true})");
  CHECK(after("{}", "a=null") == R"({"a":null})");
  CHECK(after("{}", R"(a={"b":[1,2]})") == R"({"a":{"b":[1,2]}})");
  CHECK(after("{}", "mode=min") == R"({"mode":"min"})");
  CHECK(after("{}", "t=00:12:00:00") == R"({"t":"00:12:00:00"})");
  CHECK(after("{}", "path=/data/a=b") == R"({"path":"/data/a=b"})");
  CHECK(after("{}", "a=") == R"({"a":""})");
  CHECK(after("{}", R"(a="5")") == R"({"a":"5"})");
}

TEST_CASE("objects on the way are created, also in place of null") {
  CHECK(after("{}", "a.b.c=1") == R"({"a":{"b":{"c":1}}})");
  CHECK(after(R"({"a":null})", "a.b=1") == R"({"a":{"b":1}})");
}

TEST_CASE("a number in a path is an index into an array, and the array's size appends to it") {
  CHECK(after(R"({"a":[{"x":1},{"x":2}]})", "a.1.x=9") == R"({"a":[{"x":1},{"x":9}]})");
  CHECK(after(R"({"a":[1]})", "a.1=2") == R"({"a":[1,2]})");
  CHECK(after(R"({"a":[1]})", "a.1.name=ema") == R"({"a":[1,{"name":"ema"}]})");
}

TEST_CASE("a key with dots is written in double quotes") {
  CHECK(after("{}", R"(callbacks."my.ema".decay=0.9)") ==
        R"({"callbacks":{"my.ema":{"decay":0.9}}})");
  CHECK(after("{}", R"("a=b"=1)") == R"({"a=b":1})");
}

TEST_CASE("an error in a value from --set names the option") {
  ConfigValue root = ConfigValue::object();
  set_by_path(root, "trainer.max_epochs=five");
  CHECK_THROWS_WITH(root.at("trainer").at("max_epochs").as_int("max_epochs"),
                    "--set trainer.max_epochs: 'max_epochs' must be an integer, found the string "
                    "'five'");
}

TEST_CASE("a malformed assignment is refused, showing the right form, and changes nothing") {
  ConfigValue root = parse_json(R"({"a":[1],"n":5})", "run.json");
  const ConfigValue before = root;
  CHECK_THROWS_WITH(set_by_path(root, "trainer.max_epochs"),
                    "--set trainer.max_epochs: an '=' is missing; write it like --set "
                    "trainer.max_epochs=5");
  CHECK_THROWS_WITH(set_by_path(root, "a..b=1"), Catch::Contains("empty part"));
  CHECK_THROWS_WITH(set_by_path(root, "=1"), Catch::Contains("empty part"));
  CHECK_THROWS_WITH(set_by_path(root, "a.\"b=1"), Catch::Contains("'=' is missing"));
  CHECK_THROWS_WITH(set_by_path(root, "a.7=1"),
                    "--set a.7: '7' is not an index of an array of "
                    "1; write 0 and up, or its size to append");
  CHECK_THROWS_WITH(set_by_path(root, "a.x=1"), Catch::Contains("not an index"));
  CHECK_THROWS_WITH(set_by_path(root, "n.x=1"),
                    "--set n.x: there is the integer 5 where an object with the key 'x' is needed");
  CHECK_THROWS_WITH(set_by_path(root, "new.b={\"x\":1"), Catch::StartsWith("--set new.b:1:7: "));
  CHECK_THROWS_AS(set_by_path(root, "b=[1,2"), ConfigError);
  CHECK(root == before);
}

TEST_CASE("a value is looked up by the path that set it") {
  const ConfigValue root = parse_json(R"({"a":{"b.c":[{"d":1}]}})", "t");
  REQUIRE(find_by_path(root, R"(a."b.c".0.d)") != nullptr);
  CHECK(find_by_path(root, R"(a."b.c".0.d)")->as_int() == 1);
  CHECK(find_by_path(root, "a.x") == nullptr);
  CHECK(find_by_path(root, R"(a."b.c".1)") == nullptr);
  CHECK(find_by_path(root, R"(a."b.c".0.d.e)") == nullptr);
  CHECK_THROWS_AS(find_by_path(root, "a..b"), ConfigError);
}

}  // namespace json_path_test
