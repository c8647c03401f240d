// What is different when standard output is a terminal: colour, and the width of tables.
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "catch.h"
#include "grapnel_user.h"

namespace terminal_test {

using namespace grapnel;
using Catch::Contains;
using grapnel::test::GrapnelUser;

namespace {

// Everything the program writes to a terminal of so many columns.
std::string on_terminal(const GrapnelUser& user, const test::Arguments& arguments,
                        unsigned short columns, const test::Variables& more = {}) {
  winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  int terminal = -1;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
  REQUIRE(child >= 0);
  if (child == 0) {
    unsetenv("NO_COLOR");
    unsetenv("COLUMNS");
    setenv("TERM", "xterm", 1);
    for (const auto& [name, value] : user.environment()) setenv(name.c_str(), value.c_str(), 1);
    for (const auto& [name, value] : more) setenv(name.c_str(), value.c_str(), 1);
    std::vector<char*> argv = {const_cast<char*>("grapnel")};
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    execv(GRAPNEL, argv.data());
    _exit(127);
  }
  std::string output;
  char buffer[4096];
  // On Linux reading fails with EIO when the other side is closed.
  for (ssize_t size_read = 0; (size_read = read(terminal, buffer, sizeof buffer)) > 0;) {
    output.append(buffer, static_cast<std::size_t>(size_read));
  }
  close(terminal);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 0);
  std::erase(output, '\r');
  return output;
}

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
