#include "grapnel/terminal_progress.h"

#include <atomic>
#include <stdexcept>
#include <thread>

#include "catch.h"
#include "grapnel/base/clock.h"

namespace terminal_progress_test {

using namespace grapnel;

namespace {

// As much of a terminal as the bars use: carriage return, line feed, erase to the end of line or screen,
// cursor up. Anything else, and a line that doesn't fit, is an error.
class Terminal {
 public:
  explicit Terminal(size_t columns) : columns_(columns) {}

  void write(std::string_view text) {
    raw += text;
    for (size_t at = 0; at < text.size();) at = put(text, at);
  }
  void resize(size_t columns) { columns_ = columns; }
  size_t columns() const { return columns_; }

  // Lines from the top, without trailing spaces; no empty ones at the end.
  std::vector<std::string> lines() const {
    std::vector<std::string> out;
    for (const auto& cells : rows_) {
      std::string line;
      for (const std::string& cell : cells) line += cell;
      line.erase(line.find_last_not_of(' ') + 1);
      out.push_back(line);
    }
    while (!out.empty() && out.back().empty()) out.pop_back();
    return out;
  }
  size_t row() const { return row_; }
  size_t column() const { return column_; }

  std::string raw;

 private:
  size_t put(std::string_view text, size_t at) {
    if (rows_.size() <= row_) rows_.resize(row_ + 1);
    const char c = text[at];
    if (c == '\r') return column_ = 0, at + 1;
    if (c == '\n')
      return ++row_, column_ = 0, rows_.resize(std::max(rows_.size(), row_ + 1)), at + 1;
    if (c == '\x1b') return escape(text, at);
    size_t end = at + 1;
    while (end < text.size() && (text[end] & 0xC0) == 0x80) ++end;
    if (static_cast<unsigned char>(c) < 0x20)
      throw std::runtime_error("unexpected control character");
    auto& cells = rows_[row_];
    if (cells.size() <= column_) cells.resize(column_ + 1, " ");
    cells[column_++] = std::string(text.substr(at, end - at));
    if (column_ > columns_) throw std::runtime_error("a line is wider than the terminal");
    return end;
  }

  size_t escape(std::string_view text, size_t at) {
    size_t end = at + 2;
    while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
    const std::string number(text.substr(at + 2, end - at - 2));
    switch (text.at(end)) {
      case 'K':
        rows_[row_].resize(std::min(rows_[row_].size(), column_));
        break;
      case 'J':
        rows_[row_].resize(std::min(rows_[row_].size(), column_));
        rows_.resize(row_ + 1);
        break;
      case 'A':
        row_ -= std::stoul(number);
        break;
      default:
        throw std::runtime_error("unexpected escape sequence");
    }
    return end + 1;
  }

  size_t columns_;
  std::vector<std::vector<std::string>> rows_;
  size_t row_ = 0;
  size_t column_ = 0;
};

struct Fixture {
  explicit Fixture(size_t columns = 80, bool is_terminal = true, bool utf8 = true)
      : terminal(columns) {
    TerminalOptions options;
    options.write = [this](std::string_view text) {
      ++writes;
      terminal.write(text);
    };
    options.width = [this, is_terminal]() -> std::optional<int> {
      return is_terminal ? std::optional(static_cast<int>(terminal.columns())) : std::nullopt;
    };
    options.utf8 = utf8;
    options.clock = &clock;
    sink = std::make_shared<TerminalSink>(options);
  }
  std::unique_ptr<Bar> bar(const std::string& description, int position = 0, bool leave = true,
                           std::optional<std::int64_t> total = 100) {
    auto made = sink->make_bar({.description = description, .position = position, .leave = leave});
    made->set_total(total);
    return made;
  }
  Terminal terminal;
  ManualClock clock;
  int writes = 0;
  std::shared_ptr<TerminalSink> sink;
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a progress bar shows its description, progress, times, rate and metrics") {
  Fixture fixture(76);  // of which the last column stays free
  const auto bar = fixture.bar("Epoch 3");
  bar->set_n(0);
  fixture.clock.advance(10.0);
  bar->set_n(50);
  bar->set_postfix({{"v_num", std::int64_t{0}}, {"loss", 0.5}});
  CHECK(fixture.terminal.lines() ==
        Lines{"Epoch 3:  50%|████    | 50/100 [00:10<00:10, 5.00it/s, v_num=0, loss=0.500]"});
  CHECK(fixture.terminal.column() == 0);
}

TEST_CASE("a progress bar adapts to the terminal's width and is cut on a very narrow one") {
  for (const size_t columns : {200, 80, 60, 45, 20, 8, 3}) {
    Fixture fixture(columns);
    const auto bar = fixture.bar("Epoch 3");
    bar->set_n(70);
    bar->set_postfix({{"loss", 0.5}});
    REQUIRE(fixture.terminal.lines().size() == 1);
  }
}

TEST_CASE("a progress bar leaves out whole metrics that don't fit") {
  Fixture fixture(64);
  const auto bar = fixture.bar("Epoch 3");
  bar->set_n(7);
  bar->set_postfix({{"loss", 0.5}, {"accuracy", 0.123}, {"lr", 1e-5}});
  const std::string line = fixture.terminal.lines().at(0);
  CHECK_THAT(line, Catch::EndsWith("loss=0.500, …]"));
  fixture.terminal.resize(120);
  fixture.clock.advance(1.0);
  REQUIRE(bar->set_n(8));
  bar->set_postfix({{"loss", 0.5}, {"accuracy", 0.123}, {"lr", 1e-5}});
  CHECK_THAT(fixture.terminal.lines().at(0),
             Catch::EndsWith("loss=0.500, accuracy=0.123, lr=1e-5]"));
}

TEST_CASE(
    "a progress bar draws count and postfix together, and a count without a postfix with the next "
    "one") {
  Fixture fixture;
  const auto bar = fixture.bar("Epoch 3");
  REQUIRE(bar->set_n(1));
  bar->set_postfix({{"loss", 0.5}});
  fixture.clock.advance(1.0);
  REQUIRE(bar->set_n(2));
  CHECK_THAT(fixture.terminal.lines().at(0), Catch::Contains("| 1/100 "));
  bar->set_postfix({{"loss", 0.25}});
  CHECK_THAT(fixture.terminal.lines().at(0),
             Catch::Contains("| 2/100 ") && Catch::Contains("loss=0.250"));
  fixture.clock.advance(1.0);
  REQUIRE(bar->set_n(3));
  REQUIRE(bar->set_n(4));
  CHECK_THAT(fixture.terminal.lines().at(0), Catch::Contains("| 4/100 "));
}

TEST_CASE("a pause after a progress bar's last count doesn't lower its rate") {
  Fixture fixture;
  const auto bar = fixture.bar("Epoch 0");
  bar->set_n(1);
  fixture.clock.advance(9.0);
  bar->set_n(10);
  fixture.clock.advance(100.0);
  bar->close();
  CHECK_THAT(fixture.terminal.lines().at(0), Catch::Contains("[01:49<01:30, 1.00it/s]"));
}

TEST_CASE("a progress bar with fast steps is drawn ten times a second") {
  Fixture fixture;
  const auto bar = fixture.bar("Epoch 0", 0, true, 10000);
  int seen = 0;
  for (int step = 1; step < 10000; ++step) {
    fixture.clock.advance(0.0001);
    if (bar->set_n(step)) ++seen;
  }
  CHECK(seen >= 9);
  CHECK(seen <= 11);
  CHECK(fixture.writes <= 11);
}

TEST_CASE("a progress bar with slow steps is drawn at each step, with that step's metrics") {
  Fixture fixture;
  const auto bar = fixture.bar("Epoch 0", 0, true, 3);
  for (int step = 1; step <= 3; ++step) {
    fixture.clock.advance(2.0);
    REQUIRE(bar->set_n(step));
    bar->set_postfix({{"loss", static_cast<double>(step)}});
    CHECK_THAT(fixture.terminal.lines().at(0),
               Catch::Contains(std::to_string(step) + "/3") &&
                   Catch::Contains("loss=" + std::to_string(step) + ".000"));
  }
  CHECK_THAT(fixture.terminal.lines().at(0),
             Catch::Contains("100%") && Catch::Contains("2.00s/it"));
}

TEST_CASE("text is printed above the progress bars") {
  Fixture fixture;
  const auto bar = fixture.bar("Epoch 0");
  bar->set_n(10);
  fixture.sink->print("a line of the log\nand another");
  Lines lines = fixture.terminal.lines();
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "a line of the log");
  CHECK(lines[1] == "and another");
  CHECK_THAT(lines[2], Catch::StartsWith("Epoch 0:  10%|"));
  bar->close();
  fixture.sink->print("after it");
  lines = fixture.terminal.lines();
  REQUIRE(lines.size() == 4);
  CHECK_THAT(lines[2], Catch::StartsWith("Epoch 0:  10%|"));
  CHECK(lines[3] == "after it");
}

TEST_CASE("a nested progress bar disappears when closed; one with leave keeps its last line") {
  Fixture fixture;
  const auto training = fixture.bar("Epoch 0");
  training->set_n(100);
  {
    const auto validation = fixture.bar("Validation", 1, /*leave=*/false);
    fixture.clock.advance(1.0);
    validation->set_n(5);
    REQUIRE(fixture.terminal.lines().size() == 2);
    CHECK_THAT(fixture.terminal.lines()[1], Catch::StartsWith("Validation:   5%|"));
    CHECK(fixture.terminal.row() == 0);
    fixture.clock.advance(1.0);
    validation->close();
    CHECK(fixture.terminal.lines().size() == 1);
  }
  training->close();
  training->close();
  CHECK(fixture.terminal.lines().size() == 1);
  CHECK_THAT(fixture.terminal.lines()[0], Catch::StartsWith("Epoch 0: 100%|"));
  CHECK(fixture.terminal.row() == 1);
}

TEST_CASE("lower progress bars don't touch the lines above them") {
  Fixture fixture;
  const auto bar = fixture.bar("Epoch 0", 2);
  bar->set_n(1);
  const Lines lines = fixture.terminal.lines();
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].empty());
  CHECK(lines[1].empty());
  CHECK_THAT(lines[2], Catch::StartsWith("Epoch 0"));
  CHECK(fixture.terminal.raw.find("\x1b[K") == fixture.terminal.raw.rfind("\x1b[K"));
}

TEST_CASE("progress bars are redrawn when the terminal becomes narrower") {
  Fixture fixture(100);
  const auto bar = fixture.bar("Epoch 0");
  bar->set_n(1);
  fixture.terminal.resize(50);
  fixture.clock.advance(1.0);
  const size_t before = fixture.terminal.raw.size();
  bar->set_n(2);
  CHECK_THAT(fixture.terminal.raw.substr(before), Catch::StartsWith("\r\x1b[J"));
  CHECK(fixture.terminal.lines().size() == 1);
}

TEST_CASE("progress bars are ASCII without UTF-8") {
  Fixture fixture(60, true, false);
  const auto bar = fixture.bar("Epoch 0");
  bar->set_n(50);
  for (const char c : fixture.terminal.raw) REQUIRE(static_cast<unsigned char>(c) < 0x80);
  CHECK_THAT(fixture.terminal.lines().at(0), Catch::Contains("|###") && Catch::Contains("# "));
}

TEST_CASE("a progress bar with an unknown or exceeded length shows only the count") {
  Fixture fixture;
  const auto open = fixture.bar("Epoch 0", 0, true, std::nullopt);
  fixture.clock.advance(1.0);
  open->set_n(7);
  CHECK(fixture.terminal.lines().at(0) == "Epoch 0: 7it [00:01, 7.00it/s]");
  const auto exceeded = fixture.bar("Testing", 1, true, 3);
  fixture.clock.advance(1.0);
  exceeded->set_n(4);
  CHECK_THAT(fixture.terminal.lines().at(1), Catch::StartsWith("Testing: 4it ["));
}

TEST_CASE(
    "text in a progress bar can't control the terminal, and wide characters count as two columns") {
  Fixture fixture(40);
  const auto bar = fixture.bar("\x1b[2J\r\n");
  bar->set_n(1);
  CHECK_THAT(fixture.terminal.lines().at(0), Catch::Contains("\\x1b[2J\\r\\n"));
  Fixture wide(41);
  const auto chinese = wide.bar("训练");
  chinese->set_n(1);
  // 40 columns, of which the two characters take four.
  std::string line = wide.terminal.lines().at(0);
  size_t characters = 0;
  for (const char c : line) characters += (c & 0xC0) != 0x80;
  CHECK(characters == 38);
}

TEST_CASE("without a terminal a progress bar prints a plain line per interval and one at the end") {
  Fixture fixture(80, /*is_terminal=*/false);
  const auto bar = fixture.bar("Epoch 0", 0, true, 1000);
  for (int step = 1; step <= 1000; ++step) {
    fixture.clock.advance(0.025);
    if (bar->set_n(step)) bar->set_postfix({{"loss", 0.5}});
  }
  bar->close();
  CHECK(fixture.terminal.raw.find_first_of("\r\x1b") == std::string::npos);
  const Lines lines = fixture.terminal.lines();
  REQUIRE(lines.size() <= 5);
  REQUIRE(lines.size() >= 3);
  CHECK_THAT(lines.front(), Catch::Contains("/1000 [00:10<"));
  CHECK_THAT(lines.back(), Catch::Contains("100%") && Catch::Contains("1000/1000") &&
                               Catch::Contains("loss=0.500"));
  fixture.sink->print("a line of the log");
  CHECK(fixture.terminal.lines().back() == "a line of the log");
}

TEST_CASE("an unclosed progress bar leaves its line, one that was never drawn leaves nothing") {
  Fixture fixture;
  {
    const auto unused = fixture.bar("Training");
    const auto bar = fixture.bar("Epoch 0");
    bar->set_n(3);
  }
  REQUIRE(fixture.terminal.lines().size() == 1);
  CHECK_THAT(fixture.terminal.lines()[0], Catch::StartsWith("Epoch 0:   3%|"));
  CHECK(fixture.terminal.row() == 1);
}

TEST_CASE("the rate of an epoch resumed midway counts only its own steps") {
  Fixture fixture;
  const auto bar = fixture.bar("Epoch 5", 0, true, 1000);
  fixture.clock.advance(1.0);
  bar->set_n(900);
  fixture.clock.advance(10.0);
  bar->set_n(910);
  CHECK_THAT(fixture.terminal.lines().at(0), Catch::Contains("1.00it/s"));
}

TEST_CASE("text may be printed from any thread while a bar runs") {
  Fixture fixture;
  const auto bar = fixture.bar("Epoch 0", 0, true, 20000);
  std::atomic<bool> stop = false;
  std::thread other([&] {
    for (int i = 0; i < 50; ++i) fixture.sink->print("line");
    stop = true;
  });
  for (int step = 1; step <= 20000 || !stop; ++step) {
    fixture.clock.advance(0.001);
    if (bar->set_n(std::min(step, 20000))) bar->set_postfix({{"loss", 1.0}});
  }
  other.join();
  bar->close();
  const Lines lines = fixture.terminal.lines();
  REQUIRE(lines.size() == 51);
  CHECK(std::count(lines.begin(), lines.end(), "line") == 50);
  CHECK_THAT(lines.back(), Catch::StartsWith("Epoch 0: 100%|"));
}

}  // namespace terminal_progress_test
