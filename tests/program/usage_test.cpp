// What the program says about itself, and to those who mistype.
#include "catch.h"
#include "grapnel_user.h"

namespace usage_test {

using namespace grapnel;
using Catch::Contains;
using Catch::StartsWith;
using grapnel::test::Arguments;
using grapnel::test::GrapnelUser;

namespace {

const std::vector<Arguments> all_commands = {{"plugin", "list"},     {"plugin", "inspect"},
                                             {"plugin", "enable"},   {"plugin", "disable"},
                                             {"plugin", "validate"}, {"plugin", "path"},
                                             {"checkpoint", "show"}, {"checkpoint", "verify"}};

std::string refusal(const Arguments& arguments) {
  const GrapnelUser user;
  const ProcessResult result = user.run(arguments);
  CHECK(result.exit_code == 2);
  CHECK(result.output.empty());
  return result.error;
}

}  // namespace

TEST_CASE("every command has help with its full name, --json and an example") {
  const GrapnelUser user;
  for (Arguments command : all_commands) {
    const std::string name = "grapnel " + command[0] + " " + command[1];
    command.push_back("--help");
    const std::string help = user.answer(command);
    INFO(help);
    CHECK_THAT(help, Contains("Usage: " + name));
    CHECK_THAT(help, Contains("Example"));
    CHECK_THAT(help, Contains("--json"));
    CHECK_THAT(help.substr(help.find("Example")), Contains(name));
    for (std::size_t start = 0; start < help.size();) {
      const std::size_t end = help.find('\n', start);
      CHECK(end - start <= 100);
      start = end + 1;
    }
  }
}

TEST_CASE("grapnel --help lists all commands but internal ones") {
  const GrapnelUser user;
  const std::string help = user.answer({"--help"});
  for (const char* name :
       {"fit", "validate", "test", "predict", "callbacks", "plugin", "checkpoint"}) {
    CHECK_THAT(help, Contains(std::string("  ") + name + " "));
  }
  CHECK_THAT(help, !Contains("probe-child"));
  CHECK_THAT(user.answer({"plugin", "--help"}), Contains("inspect"));
}

TEST_CASE("grapnel --version shows the plugin ABI too") {
  const GrapnelUser user;
  CHECK(user.answer({"--version"}) ==
        std::string("grapnel ") + GRAPNEL_VERSION + " (plugin ABI 0.5)\n");
}

TEST_CASE("a mistyped command or option names the nearest") {
  CHECK_THAT(refusal({"plugn", "list"}),
             Contains("'grapnel' has no command 'plugn'; it has 'fit', ") &&
                 Contains(" and 'checkpoint'; did you mean 'plugin'?"));
  CHECK_THAT(refusal({"plugin", "lst"}),
             Contains("did you mean 'list'?") && Contains("See 'grapnel plugin --help'."));
  CHECK_THAT(refusal({"plugin", "list", "--jsn"}),
             Contains("'grapnel plugin list' has no option '--jsn'; did you mean '--json'?"));
  CHECK_THAT(refusal({"plugin", "list", "--plugin-pth=x"}),
             Contains("did you mean '--plugin-path'?"));
  CHECK_THAT(refusal({"zzzz"}), Contains("it has 'fit', ") && !Contains("did you mean"));
}

TEST_CASE("a missing argument is named") {
  CHECK_THAT(refusal({}), Contains("'grapnel' needs a command: 'fit', "));
  CHECK_THAT(refusal({"plugin"}), Contains("'grapnel plugin' needs a command: 'list', "));
  CHECK_THAT(refusal({"plugin", "inspect"}), Contains("PLUGIN is required"));
  CHECK_THAT(refusal({"plugin", "enable"}), Contains("name the plugins to enable, or give --all"));
  CHECK_THAT(refusal({"plugin", "list", "extra"}), Contains("takes no argument 'extra'"));
  CHECK_THAT(refusal({"plugin", "validate", "x", "--deadline", "soon"}), Contains("--deadline"));
}

}  // namespace usage_test
