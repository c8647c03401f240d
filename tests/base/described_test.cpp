// One description of a struct or an enum converts it in both directions.
#include <grapnel/base/described.h>

#include "catch.h"

namespace described_test {

using namespace grapnel;
using Catch::Contains;

enum class Color : std::uint8_t { red, dark_green, blue };
GRAPNEL_DESCRIBE_ENUM(Color, red, dark_green, blue);

struct Point {
  int x = 0;
  double y = 0.0;
};
GRAPNEL_DESCRIBE(Point, x, y);

struct Drawing {
  std::string name;
  Color color = Color::red;
  std::filesystem::path file;
  std::vector<Point> points;
  std::optional<std::int64_t> frame;
  bool visible = false;
  std::uint8_t alpha = 0;
  int cached = 0;
};
// Left out: cached.
GRAPNEL_DESCRIBE_ALL_BUT(1, Drawing, name, color, file, points, frame, visible, alpha);

}  // namespace described_test

template <>
inline constexpr std::array grapnel::enum_spellings<described_test::Color> = {
    grapnel::EnumSpelling{described_test::Color::dark_green, "dark green"}};

namespace described_test {

TEST_CASE("a described enumerator converts to its name or spelling and back") {
  CHECK(enum_text(Color::red) == "red");
  CHECK(enum_text(Color::dark_green) == "dark green");
  CHECK(enum_text(static_cast<Color>(9)).empty());
  CHECK(parse_enum<Color>("blue") == Color::blue);
  CHECK(parse_enum<Color>("dark green") == Color::dark_green);
  CHECK_FALSE(parse_enum<Color>("dark_green"));
  CHECK_FALSE(parse_enum<Color>(""));
  CHECK(enum_texts<Color>() == std::vector<std::string>{"red", "dark green", "blue"});
}

TEST_CASE("a description that lacks an enumerator doesn't compile") {
  enum class Gap : std::uint8_t { first, second = 5 };
  CHECK(detail::count_enumerators<Color>() == 3);
  CHECK(detail::count_enumerators<Gap>() == 2);
}

TEST_CASE("a described struct converts to a JSON object in the described order and back") {
  const Drawing drawing{.name = "map",
                        .color = Color::dark_green,
                        .file = "a/b",
                        .points = {{1, 0.5}, {-2, 3.0}},
                        .frame = 7,
                        .visible = true,
                        .alpha = 255,
                        .cached = 1};
  const ConfigValue json = to_json(drawing);
  CHECK(write_json(json) ==
        R"({"name":"map","color":"dark green","file":"a/b",)"
        R"("points":[{"x":1,"y":0.5},{"x":-2,"y":3.0}],"frame":7,"visible":true,"alpha":255})");
  const auto back = from_json<Drawing>(json);
  CHECK(to_json(back) == json);
  CHECK(back.cached == 0);
}

TEST_CASE("an optional without a value is null, and may be left out") {
  CHECK(to_json(Drawing{}).at("frame").is_null());
  CHECK_FALSE(from_json<Drawing>(to_json(Drawing{})).frame);
  Drawing drawing;
  drawing.frame = 3;
  ConfigValue json = to_json(drawing);
  CHECK(from_json<Drawing>(json).frame == 3);
  json.erase("frame");
  CHECK_FALSE(from_json<Drawing>(json).frame);
}

TEST_CASE("from_json()'s errors name the position in the text") {
  const auto read = [](std::string_view text) {
    return from_json<Drawing>(parse_json(text, "drawing.json"));
  };
  CHECK_THROWS_WITH(read(R"({"nam": "map"})"),
                    Contains("drawing.json:1:1: the key 'name' is missing; did you mean 'nam'?"));
  CHECK_THROWS_WITH(read(R"({"name": 5})"),
                    Contains("drawing.json:1:10: 'name' must be a string, found the integer 5"));
  CHECK_THROWS_WITH(read(R"({"name": "map", "color": "rad"})"),
                    Contains("1:26: 'color' must be 'red', 'dark green' or 'blue', found 'rad'"));
  CHECK_THROWS_WITH(
      read(
          R"({"name": "", "color": "red", "file": "", "points": [], "visible": true, "alpha": 256})"),
      Contains("'alpha' is out of range: 256"));
}

}  // namespace described_test
