// Extension terminal: lines of a plugin below the bars, and above them.
#include <grapnel/ext/terminal.h>

#include <optional>

#include <grapnel/base/clock.h>
#include <grapnel/terminal_progress.h>
#include <grapnel/plugin.hpp>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"

namespace terminal_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Matchers::Contains;
namespace gp = grapnel::plugin;

namespace {

const grapnel_terminal& terminal(const Caller& caller) {
  return caller.table<grapnel_terminal>(GRAPNEL_EXT_TERMINAL);
}

// A toy whose progress goes to a terminal of `columns`, or to a file where there are none.
struct Shown : Toy {
  explicit Shown(std::optional<int> columns = 40, TerminalColors colors = TerminalColors::none) {
    TerminalOptions screen;
    screen.write = [this](std::string_view piece) { written += piece; };
    screen.width = [columns] { return columns; };
    screen.colors = colors;
    screen.clock = &clock;
    options.progress = std::make_shared<TerminalSink>(screen);
    options.enable_progress_bar = false;
  }
  std::string written;
  ManualClock clock;
};

grapnel_terminal_line line_of(std::string_view words, std::string_view style = "") {
  return {sizeof(grapnel_terminal_line), 0, text(words), text(style)};
}

std::int32_t draw(const Caller& caller, const std::vector<grapnel_terminal_line>& lines) {
  std::vector<const grapnel_terminal_line*> pointers;
  for (const grapnel_terminal_line& line : lines) pointers.push_back(&line);
  return terminal(caller).draw(caller.host, pointers.data(), pointers.size());
}

// What a plugin does at the start of a fit.
void fit(Toy& toy, const std::function<void(const Caller&)>& body) {
  InProcessPlugin plugin;
  plugin.on(Hook::on_fit_start, [&](const Caller& caller, const grapnel_Event*) {
    body(caller);
    return GRAPNEL_OK;
  });
  toy.fit({plugin.handle()});
  toy.trainer.reset();
}

}  // namespace

TEST_CASE("a plugin is told what the terminal shows") {
  Shown toy(41, TerminalColors::some);
  fit(toy, [](const Caller& caller) {
    const grapnel_terminal_info* info = nullptr;
    REQUIRE(terminal(caller).info(caller.host, &info) == GRAPNEL_OK);
    CHECK(info->struct_size == sizeof *info);
    CHECK(info->is_terminal == 1);
    CHECK(info->columns == 40);
    CHECK(info->utf8 == 1);
    CHECK(info->colors == 256);
    CHECK(terminal(caller).info(caller.host, nullptr) == GRAPNEL_INVALID_ARGUMENT);
  });
}

TEST_CASE("a live area is cut to the width, and drawn again below each line that is printed") {
  Shown toy(11);
  fit(toy, [&](const Caller& caller) {
    CHECK(draw(caller, {line_of("abcdefghijklmnop"), line_of("second\x1b")}) == GRAPNEL_OK);
    CHECK_THAT(toy.written, Contains("abcdefghij") && !Contains("abcdefghijk"));
    CHECK_THAT(toy.written, !Contains("second\x1b"));
    toy.written.clear();
    toy.clock.advance(1);
    CHECK(terminal(caller).print(caller.host, text(std::string_view("hello"))) == GRAPNEL_OK);
    CHECK_THAT(toy.written, Contains("hello") && Contains("abcdefghij"));
    CHECK(toy.written.find("hello") < toy.written.find("abcdefghij"));
    toy.written.clear();
    CHECK(terminal(caller).draw(caller.host, nullptr, 0) == GRAPNEL_OK);
    toy.clock.advance(1);
    toy.written.clear();
    CHECK(terminal(caller).print(caller.host, text(std::string_view("bye"))) == GRAPNEL_OK);
    CHECK_THAT(toy.written, Contains("bye") && !Contains("abcdefghij"));
  });
}

TEST_CASE("a live area is taken away with its instance") {
  Shown toy;
  fit(toy, [](const Caller& caller) { CHECK(draw(caller, {line_of("still here")}) == 0); });
  toy.clock.advance(1);
  toy.written.clear();
  toy.options.progress->print("after");
  CHECK_THAT(toy.written, Contains("after") && !Contains("still here"));
}

TEST_CASE("styles are words and colours, and others are refused") {
  Shown toy(40, TerminalColors::all);
  fit(toy, [&](const Caller& caller) {
    CHECK(draw(caller, {line_of("bright", "bold #6206E0")}) == GRAPNEL_OK);
    CHECK_THAT(toy.written, Contains("\x1b[") && Contains("38;2;98;6;224") && Contains("bright"));
    CHECK(draw(caller, {line_of("odd", "blinking mauve")}) == GRAPNEL_INVALID_ARGUMENT);
  });
}

TEST_CASE("without a terminal lines are printed and nothing is drawn") {
  Shown toy(std::nullopt);
  fit(toy, [&](const Caller& caller) {
    const grapnel_terminal_info* info = nullptr;
    REQUIRE(terminal(caller).info(caller.host, &info) == GRAPNEL_OK);
    CHECK(info->is_terminal == 0);
    CHECK(info->columns == 80);
    CHECK(info->colors == 0);
    CHECK(draw(caller, {line_of("drawn")}) == GRAPNEL_OK);
    CHECK(terminal(caller).print(caller.host, text(std::string_view("printed"))) == GRAPNEL_OK);
  });
  CHECK(toy.written == "printed\n");
}

TEST_CASE("where no progress is wanted all functions of the terminal say so") {
  Toy toy;
  fit(toy, [](const Caller& caller) {
    const grapnel_terminal_info* info = nullptr;
    CHECK(terminal(caller).info(caller.host, &info) == GRAPNEL_NOT_FOUND);
    CHECK(terminal(caller).print(caller.host, text(std::string_view("x"))) == GRAPNEL_NOT_FOUND);
    CHECK(draw(caller, {line_of("x")}) == GRAPNEL_NOT_FOUND);
  });
}

TEST_CASE("lines of a live area are checked") {
  Shown toy;
  fit(toy, [](const Caller& caller) {
    const std::vector<grapnel_terminal_line> most(GRAPNEL_TERMINAL_MAX_LINES, line_of("x"));
    CHECK(draw(caller, most) == GRAPNEL_OK);
    std::vector<grapnel_terminal_line> lines = most;
    lines.push_back(line_of("x"));
    CHECK(draw(caller, lines) == GRAPNEL_INVALID_ARGUMENT);
    grapnel_terminal_line line = line_of("x");
    line.struct_size = 8;
    CHECK(draw(caller, {line}) == GRAPNEL_INVALID_ARGUMENT);
    line = line_of("x");
    line.reserved = 1;
    CHECK(draw(caller, {line}) == GRAPNEL_INVALID_ARGUMENT);
    const grapnel_terminal_line* nothing = nullptr;
    CHECK(terminal(caller).draw(caller.host, &nothing, 1) == GRAPNEL_INVALID_ARGUMENT);
    CHECK(terminal(caller).draw(caller.host, nullptr, 1) == GRAPNEL_INVALID_ARGUMENT);
  });
}

// ---- Through the wrapper

namespace {

struct Seen {
  std::optional<gp::Terminal> terminal;
  bool printed = false, drawn = false;
} seen;

class Wrapped final : public gp::Callback {
 public:
  explicit Wrapped(const gp::Params&) {}
  void on_fit_start(Event& event) override {
    seen.terminal = event.terminal();
    seen.drawn = event.draw({{"one line", "bold"}, {"another"}});
    seen.printed = event.print("above");
  }
};

void fit_wrapped(Toy& toy) {
  seen = {};
  const InProcessPlugin described;  // for a manifest
  static constexpr grapnel_factory factory = gp::callback<Wrapped>("probe");
  toy.fit({as_plugin(
      std::make_shared<bridge::PluginCallback>(described.manifest(), "probe", factory))});
  toy.trainer.reset();
}

}  // namespace

TEST_CASE("the wrapper draws and prints, and tells that no progress is wanted") {
  Shown toy(31, TerminalColors::few);
  fit_wrapped(toy);
  REQUIRE(seen.terminal.has_value());
  CHECK(seen.terminal->is_terminal);
  CHECK(seen.terminal->columns == 30);
  CHECK(seen.terminal->colors == 8);
  CHECK(seen.drawn);
  CHECK(seen.printed);
  CHECK_THAT(toy.written, Contains("one line") && Contains("another") && Contains("above"));

  Toy silent;
  fit_wrapped(silent);
  CHECK_FALSE(seen.terminal.has_value());
  CHECK_FALSE(seen.drawn);
  CHECK_FALSE(seen.printed);
}

}  // namespace terminal_test
