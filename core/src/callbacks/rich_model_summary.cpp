#include "grapnel/callbacks/rich_model_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "grapnel/base/error.h"
#include "grapnel/base/platform.h"
#include "grapnel/base/text.h"
#include "grapnel/progress.h"
#include "grapnel/terminal_progress.h"
#include "grapnel/trainer.h"
#include "progress/bar_line.h"

namespace grapnel {

namespace {

constexpr int kNarrowest = 3;  // columns that a cell keeps

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
                        fmt::format("header_style={} is not possible: there is no {}; known are {}",
                                    quote(style), quote(word), join_quoted(names, "and")),
                        "header_style", nearest(word, names).value_or(""));
    }
    codes += codes.empty() ? "" : ";";
    codes += known->code;
  }
  return codes;
}

struct Frame {
  std::string_view horizontal, vertical;
  std::string_view top[3], middle[3], bottom[3];  // left, between, right
};
constexpr Frame kBox = {"─", "│", {"┏", "┳", "┓"}, {"┡", "╇", "┩"}, {"└", "┴", "┘"}};
constexpr Frame kAscii = {"-", "|", {"+", "+", "+"}, {"+", "+", "+"}, {"+", "+", "+"}};

struct HeaderStyle : OptionType<std::string> {
  static void check(const std::string& style) { sgr_codes(style); }
};

class TableText {
 public:
  TableText(const Summary& summary, const TextStyle& style)
      : columns_(summary.columns()), style_(style), frame_(style.utf8 ? kBox : kAscii) {
    for (auto& [title, cells] : columns_) {
      int width = display_width(title);
      for (const std::string& cell : cells) width = std::max(width, display_width(cell));
      widths_.push_back(width);
    }
    narrow();
  }

  std::string text() const {
    const std::string header = sgr_codes(style_.header);
    std::string out = rule(frame_.top, style_.utf8 ? "━" : "-");
    out += row(
        style_.utf8 ? "┃" : "|", [&](size_t i) { return columns_[i].first; }, header);
    out += rule(frame_.middle, style_.utf8 ? "━" : "-");
    for (size_t line = 0; line < columns_[0].second.size(); ++line) {
      out += row(
          frame_.vertical, [&](size_t i) { return columns_[i].second[line]; }, "");
    }
    return out + rule(frame_.bottom, frame_.horizontal);
  }

  std::string painted(std::string_view codes, const std::string& text) const {
    if (!style_.colour || codes.empty()) return text;
    return fmt::format("\x1b[{}m{}\x1b[0m", codes, text);
  }

 private:
  // Takes columns away from the widest cells until the table fits, or nothing is left to take.
  void narrow() {
    const auto total = [&] {
      int sum = 1;
      for (const int width : widths_) sum += width + 3;
      return sum;
    };
    while (total() > style_.width) {
      const auto widest = std::max_element(widths_.begin(), widths_.end());
      if (*widest <= kNarrowest) return;
      --*widest;
    }
  }

  bool right_aligned(size_t column) const {
    const std::string& title = columns_[column].first;
    return title == "Params" || title == "FLOPs" || title == "In sizes" || title == "Out sizes";
  }

  std::string cell(size_t column, const std::string& text) const {
    std::string shown = cut_to_width(text, widths_[column], style_.utf8 ? "…" : ".");
    const int blanks = std::max(0, widths_[column] - display_width(shown));
    const std::string pad(static_cast<size_t>(blanks), ' ');
    return right_aligned(column) ? pad + shown : shown + pad;
  }

  template <class Cell>
  std::string row(std::string_view border, const Cell& text, std::string_view codes) const {
    std::string line(border);
    for (size_t i = 0; i < columns_.size(); ++i) {
      // Counting numbers step back behind what they count.
      const std::string_view own = codes.empty() && i == 0 ? "2" : codes;
      line += fmt::format(" {} {}", painted(own, cell(i, text(i))), border);
    }
    return line + "\n";
  }

  std::string rule(const std::string_view (&ends)[3], std::string_view stroke) const {
    std::string line(ends[0]);
    for (size_t i = 0; i < widths_.size(); ++i) {
      for (int n = 0; n < widths_[i] + 2; ++n) line += stroke;
      line += i + 1 == widths_.size() ? ends[2] : ends[1];
    }
    return line + "\n";
  }

  std::vector<Summary::Column> columns_;
  const TextStyle& style_;
  const Frame& frame_;
  std::vector<int> widths_;
};

TextStyle terminal_style(const std::string& header) {
  return {.width = terminal_width(Stream::error).value_or(80),
          .utf8 = TerminalOptions::for_stderr().utf8,
          .colour = environment_variable("NO_COLOR").value_or("").empty(),
          .header = header};
}

}  // namespace

std::string rich_text(const Summary& summary, const TextStyle& style) {
  const TableText table(summary, style);
  std::string text = table.text();
  for (const auto& [label, value] : summary.totals()) {
    text += fmt::format("{}: {}\n", table.painted("1", label), value);
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
