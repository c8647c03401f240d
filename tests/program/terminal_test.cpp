// What is different when standard output is a terminal: colour, and the width of tables.
#include <string>

#include "catch.h"
#include "on_terminal.h"

namespace terminal_test {

using namespace grapnel;
using Catch::Contains;
using grapnel::test::GrapnelUser;
using grapnel::test::on_terminal;

namespace {

bool has_color(const std::string& text) {
  return text.find("\x1b[") != std::string::npos;
}

}  // namespace

TEST_CASE("a terminal gets colour, unless NO_COLOR is set or it is dumb") {
  const GrapnelUser user;
  user.add_plugin("ema");
  user.enable("ema");
  CHECK_THAT(on_terminal(user, {"plugin", "list"}, 80), Contains("\x1b[32menabled\x1b[0m"));
  CHECK_FALSE(has_color(on_terminal(user, {"plugin", "list"}, 80, {{"NO_COLOR", "1"}})));
  CHECK_FALSE(has_color(on_terminal(user, {"plugin", "list"}, 80, {{"TERM", "dumb"}})));
  CHECK_FALSE(has_color(user.answer({"plugin", "list"})));
}

TEST_CASE("a table fits the terminal's width, and is complete without a terminal") {
  const GrapnelUser user;
  user.add_plugin("ema");
  std::string text = test::manifest_text("ema");
  const std::string summary =
      "A sentence that goes on and on until no terminal is wide enough for it.";
  text.replace(text.find("About ema."), 10, summary);
  user.dir.write("plugins/ema.grapnel.json", text);
  user.add_plugin("refused", {.abi_major = 9});
  const std::string narrow = on_terminal(user, {"plugin", "list"}, 80, {{"NO_COLOR", "1"}});
  CHECK_THAT(narrow, Contains("A sentence that") && Contains("...") && !Contains(summary));
  for (std::size_t start = 0; start < narrow.size();) {
    const std::size_t end = narrow.find('\n', start);
    const std::string line = narrow.substr(start, end - start);
    INFO(line);
    // A path is one word, which is never broken.
    CHECK((line.size() <= 80 || line.find("/refused.so") != std::string::npos));
    start = end + 1;
  }
  CHECK_THAT(on_terminal(user, {"plugin", "list"}, 200, {{"NO_COLOR", "1"}}), Contains(summary));
  CHECK_THAT(user.answer({"plugin", "list"}), Contains(summary));
}

}  // namespace terminal_test
