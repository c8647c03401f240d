#include "grapnel/callbacks/rich_model_summary.h"

#include <sstream>

#include "../support/scripted.h"
#include "catch.h"

namespace rich_model_summary_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

Summary sample() {
  Summary summary;
  summary.layers = {{.name = "encoder", .type = "Sequential", .num_parameters = 112},
                    {.name = "head", .type = "Linear", .num_parameters = 9, .training = false}};
  summary.total_parameters = summary.trainable_parameters = 121;
  summary.modules_in_train_mode = 1;
  summary.modules_in_eval_mode = 1;
  return summary;
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> found;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) found.push_back(line);
  return found;
}

}  // namespace

TEST_CASE("the rich summary's frame is of box characters, or ASCII without UTF-8") {
  const auto box = lines(rich_text(sample(), {.colour = false}));
  REQUIRE(box.size() == 13);
  CHECK(box[0] == "┏━━━┳━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━┳━━━━━━━┳━━━━━━━┓");
  CHECK(box[1] == "┃   ┃ Name    ┃ Type       ┃ Params ┃ Mode  ┃ FLOPs ┃");
  CHECK(box[3] == "│ 0 │ encoder │ Sequential │    112 │ train │     0 │");
  CHECK(box[6] == "Trainable params: 121");
  const auto plain = lines(rich_text(sample(), {.utf8 = false, .colour = false}));
  CHECK(plain[0] == "+---+---------+------------+--------+-------+-------+");
  CHECK(plain[4] == "| 1 | head    | Linear     |      9 | eval  |     0 |");
}

TEST_CASE("the rich summary paints titles and labels, and has no control codes without colour") {
  const std::string text = rich_text(sample(), {.header = "bold cyan"});
  CHECK_THAT(text, Contains("\x1b[1;36mName") && Contains("\x1b[1mTotal params\x1b[0m: 121"));
  CHECK(rich_text(sample(), {.colour = false}).find('\x1b') == std::string::npos);
}

TEST_CASE(
    "on a narrow terminal the rich summary cuts its widest cells so that no line is too wide") {
  Summary summary = sample();
  summary.layers[0].name = "a_layer_with_a_rather_long_name";
  for (const int width : {60, 50, 44, 38}) {
    for (const std::string& line : lines(rich_text(summary, {.width = width, .colour = false}))) {
      if (line.find("MB") != std::string::npos) continue;  // a sentence below the table
      int columns = 0;
      for (const char c : line) columns += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
      CAPTURE(width, line);
      CHECK(columns <= width);
    }
  }
  CHECK_THAT(rich_text(summary, {.width = 60, .colour = false}),
             Contains("a_layer_") && Contains("…"));
}

TEST_CASE(
    "RichModelSummary logs the plain table without a terminal, and writes the rich one to a "
    "writer") {
  const CapturedLog log;
  ToyModule module;
  Trainer plain(quiet(1), {std::make_shared<RichModelSummary>()});
  plain.fit(module, toy_data(1, 0));
  CHECK_THAT(log.text(), Contains("Trainable params") && !Contains("\x1b"));

  std::string written;
  RichModelSummaryOptions options;
  options.write = [&](std::string_view text) { written += text; };
  Trainer rich(quiet(1), {std::make_shared<RichModelSummary>(options)});
  rich.fit(module, toy_data(1, 0));
  CHECK_THAT(written, Contains("┏━") && Contains("other params"));
}

TEST_CASE("an unknown style of the rich summary is refused, listing the known ones") {
  CHECK_THROWS_WITH(RichModelSummary({.header_style = "bold magenda"}),
                    Contains("'magenda'") && Contains("'magenta'"));
}

}  // namespace rich_model_summary_test
