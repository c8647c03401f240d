// Bars in colour: their lines at several widths, on several kinds of terminals, and in a training.
#include "grapnel/callbacks/rich_progress_bar.h"

#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/base/clock.h"
#include "grapnel/base/error.h"
#include "grapnel/callbacks/lambda_callback.h"
#include "grapnel/callbacks/registry.h"
#include "grapnel/terminal_progress.h"

namespace rich_progress_bar_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// What is drawn last, on a terminal of so many columns.
struct Screen {
  explicit Screen(int columns, TerminalColors colors = TerminalColors::none, bool utf8 = true) {
    TerminalOptions options;
    options.write = [this](std::string_view text) { written += text; };
    options.width = [columns] { return std::optional(columns); };
    options.utf8 = utf8;
    options.colors = colors;
    options.clock = &clock;
    sink = std::make_shared<TerminalSink>(options);
  }

  // The 31st of 121 batches, three seconds after the first, with two metrics.
  std::string line(std::optional<std::int64_t> total = 121) {
    const auto bar = sink->make_bar({.description = "Epoch 3/14", .theme = BarTheme{}});
    bar->set_total(total);
    bar->set_n(1);
    clock.advance(3.0);
    written.clear();
    bar->set_n(31);
    bar->set_postfix({{"train_loss", 0.12345}, {"v_num", std::int64_t{7}}});
    const size_t end = written.rfind("\x1b[K");
    const size_t begin = written.rfind('\r', end) + 1;
    return written.substr(begin, end - begin);
  }

  ManualClock clock;
  std::string written;
  std::shared_ptr<TerminalSink> sink;
};

size_t count_of(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

std::string refusal_of(const std::string& parameters) {
  try {
    (void)make_callback("rich_progress_bar", parse_json(parameters, "run.json"),
                        "callbacks.rich_progress_bar");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("on a wide terminal the rich bar has forty columns, times, rate and metrics") {
  const std::string line = Screen(140).line();
  CHECK_THAT(line, Catch::StartsWith("Epoch 3/14 ━━━━━━━━━━╺━"));
  CHECK(count_of(line, "━") + count_of(line, "╺") == 40);
  CHECK_THAT(line,
             Catch::EndsWith("━ 31/121 0:00:03 • 0:00:09 10.00it/s train_loss: 0.123 v_num: 7"));
}

TEST_CASE("on a narrow terminal the rich bar shrinks, then whole metrics are left out") {
  const std::string line = Screen(66).line();
  CHECK_THAT(line, Catch::EndsWith("10.00it/s"));
  CHECK(count_of(line, "━") + count_of(line, "╺") >= 5);
  const std::string narrow = Screen(30).line();
  CHECK(narrow.size() <= 31);
  CHECK_THAT(narrow, Catch::StartsWith("Epoch 3/14 31/121"));
}

TEST_CASE("the rich bar avoids colours and characters that the terminal can't show") {
  const std::string ascii = Screen(140, TerminalColors::none, false).line();
  CHECK_THAT(ascii, Catch::StartsWith("Epoch 3/14 ==========>  "));
  CHECK(std::all_of(ascii.begin(), ascii.end(), [](char c) { return c >= ' ' && c < 127; }));
  CHECK_THAT(Screen(140, TerminalColors::all).line(), Catch::Contains("\x1b[38;2;98;6;224m━"));
  CHECK_THAT(Screen(140, TerminalColors::some).line(), Catch::Contains("\x1b[38;5;92m━"));
  CHECK_THAT(Screen(140, TerminalColors::few).line(), Catch::Contains("\x1b[34m━"));
}

TEST_CASE("a rich bar without a known end pulses") {
  CHECK_THAT(Screen(140).line(std::nullopt), Catch::Contains(" 31/-- 0:00:03 • -:--:-- "));
}

TEST_CASE("the rich bar names every epoch with the last one, and only the last line stays") {
  Screen screen(100);
  ToyModule module;
  TrainerOptions options;
  options.max_epochs = 2;
  options.enable_checkpointing = false;
  options.progress = screen.sink;
  const auto time = std::make_shared<LambdaCallback>(
      LambdaHooks{.on_train_batch_start = [&](TrainBatchStart&) { screen.clock.advance(1.0); }});
  Trainer trainer(std::move(options), {time, std::make_shared<RichProgressBar>()});
  trainer.fit(module, toy_data());
  CHECK_THAT(screen.written, Catch::Contains("Epoch 0/1 ") && Catch::Contains("Epoch 1/1 "));
  CHECK_THAT(screen.written, Catch::EndsWith("\n"));
}

TEST_CASE("invalid styles and refresh rates of RichProgressBar are refused by name") {
  CHECK_THAT(refusal_of(R"({"theme": {"time": "dimm"}})"),
             Catch::Contains("theme.time") && Catch::Contains("did you mean 'dim'?"));
  CHECK_THAT(refusal_of(R"({"theme": {"metrics_format": "d"}})"),
             Catch::Contains("theme.metrics_format"));
  CHECK_THAT(refusal_of(R"({"refresh_rate": -1})"), Catch::Contains("refresh_rate"));
  CHECK_THAT(refusal_of(R"({"theme": {"colour": "red"}})"), Catch::Contains("colour"));
}

}  // namespace rich_progress_bar_test
