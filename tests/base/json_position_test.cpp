// Every error and every value knows its line and column.
#include <grapnel/base/json.h>

#include <random>

#include "catch.h"

namespace json_position_test {

using namespace grapnel;

namespace {

// "line:column: message" of the error that parsing the text gives.
std::string slip(std::string_view text) {
  try {
    static_cast<void>(parse_json(text, "t"));
  } catch (const ConfigError& error) {
    CHECK(error.line > 0);
    CHECK(error.column > 0);
    return std::string(error.what()).substr(2);
  }
  return "accepted";
}

std::string at(const SourcePosition& position) {
  return std::to_string(position.line) + ":" + std::to_string(position.column);
}

}  // namespace

TEST_CASE("keys and values know where they start") {
  const ConfigValue value = parse_json(
      "{\n"
      "  \"trainer\" : { \"max_epochs\":5,\"b\" :\n"
      "\t[1, -2.5e3 ,\"x\\\"]\" , {\"c\":null}] },\r\n"
      "  \"é🎣\": true , \"z\": false\n"
      "}",
      "t");
  CHECK(at(value.position()) == "1:1");
  const auto& top = value.as_object();
  CHECK(at(top[0].key_position()) == "2:3");
  CHECK(at(top[0].value.position()) == "2:15");
  const auto& trainer = top[0].value.as_object();
  CHECK(at(trainer[0].key_position()) == "2:17");
  CHECK(at(trainer[0].value.position()) == "2:30");
  CHECK(at(trainer[1].key_position()) == "2:32");
  CHECK(at(trainer[1].value.position()) == "3:2");
  const auto& items = trainer[1].value.as_array();
  CHECK(at(items[0].position()) == "3:3");
  CHECK(at(items[1].position()) == "3:6");
  CHECK(at(items[2].position()) == "3:14");
  CHECK(at(items[3].position()) == "3:23");
  CHECK(at(items[3].as_object()[0].value.position()) == "3:28");
  CHECK(at(top[1].key_position()) == "4:3");
  CHECK(at(top[1].value.position()) == "4:9");  // code points, not bytes
  CHECK(at(top[2].value.position()) == "4:21");
}

TEST_CASE("positions survive copies and are not part of equality") {
  const ConfigValue a = parse_json("[1]", "a");
  const ConfigValue b = parse_json("\n\n [ 1 ]", "b");
  CHECK(a == b);
  const ConfigValue copy = b;
  CHECK(copy.position() == SourcePosition{"b", 3, 2});
  CHECK(ConfigValue(1).position() == SourcePosition{});
}

TEST_CASE("common JSON mistakes are named, with what to write instead") {
  CHECK(slip("{\"a\": 1,\n}") == "2:1: there is a comma before this '}'; remove it");
  CHECK(slip("[1,2,]") == "1:6: there is a comma before this ']'; remove it");
  CHECK(slip("{\"a\": 1 // one\n}") == "1:9: comments are not accepted in JSON; remove this one");
  CHECK(slip("# one\n{}") == "1:1: comments are not accepted in JSON; remove this one");
  CHECK(slip("{'a': 1}") == "1:2: strings need double quotes, not single quotes");
  CHECK(slip("{\"a\": NaN}") == "1:7: NaN is not JSON; write \"nan\" instead");
  CHECK(slip("{\"a\": nan}") == "1:7: nan is not JSON; write \"nan\" instead");
  CHECK(slip("{\"a\": -Infinity}") == "1:7: -Infinity is not JSON; write \"-inf\" instead");
  CHECK(slip("{\"a\": True}") == "1:7: True is not JSON; write true instead");
  CHECK(slip("{\"a\": None}") == "1:7: None is not JSON; write null instead");
  CHECK(slip("{\"a\": nul}") ==
        "1:7: 'nul' is neither a number nor true, false or "
        "null; keys and strings need double quotes");
  CHECK(slip("{\"mode\": min}") ==
        "1:10: 'min' is neither a number nor true, false or "
        "null; keys and strings need double quotes");
  CHECK(slip("{\"a\": 1\n \"b\": 2}") ==
        "2:2: a comma (or, after a key, a colon) is missing before this");
  CHECK(slip("{\"a\" \"b\"}") == "1:6: a comma (or, after a key, a colon) is missing before this");
  CHECK(slip("[1 2]") == "1:4: a comma (or, after a key, a colon) is missing before this");
  CHECK(slip("{\"a\" 1}") == "1:6: a comma (or, after a key, a colon) is missing before this");
  CHECK(slip("{a: 1}") ==
        "1:2: 'a' is neither a number nor true, false or "
        "null; keys and strings need double quotes");
  CHECK(slip("[tru ]") ==
        "1:2: 'tru' is neither a number nor true, false or "
        "null; keys and strings need double quotes");
  CHECK(slip("[01]") ==
        "1:2: '01' is neither a number nor true, false or "
        "null; keys and strings need double quotes");
  CHECK(slip("[1,,2]") == "1:4: unexpected ','");
  CHECK(slip("{\"a\": 1} {}") ==
        "1:10: the document ended before this; only one value is expected");
  CHECK(slip("{\"a\": [1, 2") ==
        "1:12: the text ends in the middle of a value; a closing \", ] or } is missing");
  CHECK(slip("{\"a\": \"unclosed}") ==
        "1:17: the text ends in the middle of a value; a closing \", ] or } is missing");
  CHECK(slip("") == "1:1: the text is empty; a JSON document is expected");
  CHECK(slip(" \n ") == "2:2: the text is empty; a JSON document is expected");
  CHECK(slip("\"a\nb\"") ==
        "1:3: there is a control character in a string; write \\n "
        "for a line break, \\t for a tab, \\u00XX for others");
  CHECK(slip("\"a\xff\"") == "1:3: these bytes are not UTF-8");
}

TEST_CASE("a number out of range is an error at its position") {
  CHECK(slip("{\"seed\": 18446744073709551615}") ==
        "1:10: 18446744073709551615 does not fit a signed 64-bit integer (at most "
        "9223372036854775807)");
  CHECK(slip("[0,\n 1e999]") == "2:2: 1e999 is too large for a double (at most 1.8e308)");
}

TEST_CASE("a duplicate key is an error at its second position") {
  CHECK(slip("{\"a\": 1,\n \"b\": {\"a\": 1, \"a\": 2}}") ==
        "2:16: the key 'a' appears twice in this "
        "object, first on line 2; remove one of them");
}

TEST_CASE(
    "every prefix and every changed byte of a document is an error with a position, or accepted") {
  const std::string text = R"({"a": [1, -2.5e+3, "x\u00e9\n", true], "ü": {"b": null}, "c": [[]]})";
  for (std::size_t size = 0; size < text.size(); ++size) {
    INFO(text.substr(0, size));
    CHECK(slip(text.substr(0, size)) != "accepted");
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = text;
      changed[i] = static_cast<char>(byte);
      slip(changed);  // checks the position of the error; must not crash
    }
  }
}

}  // namespace json_position_test
