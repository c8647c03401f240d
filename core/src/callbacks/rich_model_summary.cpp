#include "grapnel/callbacks/rich_model_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "grapnel/base/error.h"
#include "grapnel/base/platform.h"
#include "grapnel/base/text.h"
#include "grapnel/base/text_table.h"
#include "grapnel/progress.h"
#include "grapnel/terminal_progress.h"
#include "grapnel/trainer.h"

namespace grapnel {

namespace {

struct StyleCode {
  std::string_view word;
  std::string_view code;  // of the terminal's SGR sequence
};
constexpr StyleCode kStyles[] = {{"bold", "1"},      {"dim", "2"},     {"italic", "3"},
                                 {"underline", "4"}, {"black", "30"},  {"red", "31"},
                                 {"green", "32"},    {"yellow", "33"}, {"blue", "34"},
                                 {"magenta", "35"},  {"cyan", "36"},   {"white", "37"}};

// "bold magenta" -> "1;35"
std::string sgr_codes(const std::string& style) {
  std::string codes;
  std::istringstream words(style);
  std::string word;
  while (words >> word) {
    const auto known = std::find_if(std::begin(kStyles), std::end(kStyles),
                                    [&](const StyleCode& entry) { return entry.word == word; });
    if (known == std::end(kStyles)) {
      std::vector<std::string> names;
      for (const StyleCode& entry : kStyles) names.emplace_back(entry.word);
      throw ConfigError({},
                        fmt::format("unknown word {} in {}; known are {}", quote(word),
                                    quote(style), join_quoted(names, "and")),
                        "header_style", nearest(word, names).value_or(""));
    }
    codes += codes.empty() ? "" : ";";
    codes += known->code;
  }
  return codes;
}

struct HeaderStyle : OptionType<std::string> {
  static void check(const std::string& style) { sgr_codes(style); }
};

std::string painted(const TextStyle& style, std::string_view codes, const std::string& text) {
  if (!style.colour || codes.empty()) return text;
  return fmt::format("\x1b[{}m{}\x1b[0m", codes, text);
}

TextStyle terminal_style(const std::string& header) {
  return {.width = terminal_width(Stream::error).value_or(80),
          .utf8 = TerminalOptions::for_stderr().utf8,
          .colour = environment_variable("NO_COLOR").value_or("").empty(),
          .header = header};
}

}  // namespace

std::string rich_text(const Summary& summary, const TextStyle& style) {
  const std::string header = sgr_codes(style.header);
  TextTable table = summary.table();
  table.align_right(3).align_right(5);  // Params, FLOPs
  if (summary.has_sizes) table.align_right(6).align_right(7);
  const auto paint = [&](size_t row, size_t column, const std::string& cell) {
    if (row == TextTable::kTitles && !header.empty()) return painted(style, header, cell);
    return painted(style, column == 0 ? "2" : "", cell);  // the layers' numbers are dim
  };
  std::string text =
      table.to_boxed_text(style.width, style.utf8 ? TableBox::lines() : TableBox::ascii(), paint);
  for (const auto& [label, value] : summary.totals()) {
    text += fmt::format("{}: {}\n", painted(style, "1", label), value);
  }
  return text;
}

RichModelSummary::RichModelSummary(RichModelSummaryOptions options)
    : ModelSummary({.max_depth = options.max_depth}), options_(std::move(options)) {
  options_.style.header = options_.header_style;
  options_table().check(options_, "RichModelSummary");
}

const OptionsTable<RichModelSummaryOptions>& RichModelSummary::options_table() {
  using O = RichModelSummaryOptions;
  static const OptionsTable<O> table(
      "rich_model_summary", "Shows the model's layers as a coloured table on the terminal.",
      {option("max_depth", &O::max_depth)
           .at_least(-1)
           .doc("Levels of layers to list; 0: no summary, -1: every layer."),
       option<HeaderStyle>("header_style", &O::header_style)
           .doc("Of the titles: bold, dim, italic, underline, and a colour.")});
  return table;
}

void RichModelSummary::show(Trainer& trainer, const Summary& summary) {
  if (options_.write) return options_.write(rich_text(summary, options_.style));
  const auto& progress = trainer.options().progress;
  const bool terminal = is_terminal(Stream::error) && environment_variable("TERM") != "dumb";
  if (progress == nullptr || !terminal) return ModelSummary::show(trainer, summary);
  std::string text = rich_text(summary, terminal_style(options_.header_style));
  text.pop_back();  // print ends the line
  progress->print(text);
}

}  // namespace grapnel
