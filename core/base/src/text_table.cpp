#include <grapnel/base/text_table.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>

#include "decode_utf8.h"

namespace grapnel {
namespace {

constexpr int kGap = 2;         // spaces between the columns of a plain table
constexpr int kNoteIndent = 4;  // of notes below a row
constexpr int kLeastLast = 12;  // a last column cut to less would say nothing
constexpr int kLeastBoxed = 3;  // a boxed column is not narrowed further

// The blocks that Unicode's East Asian Width calls wide, and emoji.
int columns_of(std::uint32_t code) {
  const bool wide = (code >= 0x1100 && code <= 0x115F) || (code >= 0x2E80 && code <= 0xA4CF) ||
                    (code >= 0xAC00 && code <= 0xD7A3) || (code >= 0xF900 && code <= 0xFAFF) ||
                    (code >= 0xFE30 && code <= 0xFE6F) || (code >= 0xFF00 && code <= 0xFF60) ||
                    (code >= 0xFFE0 && code <= 0xFFE6) || (code >= 0x1F300 && code <= 0x1FAFF) ||
                    (code >= 0x20000 && code <= 0x3FFFD);
  return wide ? 2 : 1;
}

// Columns of the code point at `at`, which moves past it; a byte that is not UTF-8 takes one.
int next_columns(std::string_view text, std::size_t& at) noexcept {
  const detail::CodePoint point = detail::decode_utf8(text, at);
  at += std::max<std::size_t>(point.bytes, 1);
  return columns_of(point.value);
}

std::string blanks(int count) {
  return std::string(static_cast<std::size_t>(std::max(count, 0)), ' ');
}

std::string without_trailing_blanks(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

int sum(const std::vector<int>& widths) {
  return std::accumulate(widths.begin(), widths.end(), 0);
}

std::string rule(const TableBox::Rule& rule, const std::vector<int>& widths) {
  std::string line(rule.left);
  for (std::size_t column = 0; column < widths.size(); ++column) {
    if (column > 0) line += rule.between;
    for (int n = 0; n < widths[column] + 2; ++n) line += rule.line;
  }
  return line + std::string(rule.right) + "\n";
}

}  // namespace

int display_width(std::string_view text) noexcept {
  int columns = 0;
  for (std::size_t at = 0; at < text.size();) columns += next_columns(text, at);
  return columns;
}

std::string cut_to_width(std::string_view text, int width, std::string_view mark) {
  if (display_width(text) <= width) return std::string(text);
  const int room = std::max(0, width - display_width(mark));
  int used = 0;
  std::size_t kept = 0;
  for (std::size_t at = 0; at < text.size(); kept = at) {
    used += next_columns(text, at);
    if (used > room) break;
  }
  return std::string(text.substr(0, kept)) + std::string(mark);
}

std::string wrap(std::string_view text, int width, int indent) {
  const std::string margin = blanks(indent);
  std::string wrapped, line;
  const auto flush = [&] {
    if (!line.empty()) wrapped += margin + line + "\n";
    line.clear();
  };
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
    if (word.empty()) continue;
    const int needed = indent + display_width(line) + 1 + display_width(word);
    if (!line.empty() && width != 0 && needed > width) flush();
    if (!line.empty()) line += ' ';
    line += word;
  }
  flush();
  return wrapped;
}

const TableBox& TableBox::lines() {
  static constexpr TableBox box{.top = {"┏", "━", "┳", "┓"},
                                .below_titles = {"┡", "━", "╇", "┩"},
                                .bottom = {"└", "─", "┴", "┘"},
                                .title_border = "┃",
                                .border = "│",
                                .cut_mark = "…"};
  return box;
}

const TableBox& TableBox::ascii() {
  static constexpr TableBox::Rule rule{"+", "-", "+", "+"};
  static constexpr TableBox box{.top = rule,
                                .below_titles = rule,
                                .bottom = rule,
                                .title_border = "|",
                                .border = "|",
                                .cut_mark = "."};
  return box;
}

TextTable::TextTable(std::vector<std::string> titles)
    : titles_(std::move(titles)), right_(titles_.size()) {}

TextTable& TextTable::align_right(std::size_t column) {
  right_.at(column) = true;
  return *this;
}

void TextTable::add(std::vector<std::string> cells, std::vector<std::string> notes) {
  cells.resize(titles_.size());
  rows_.push_back({std::move(cells), std::move(notes)});
}

std::vector<int> TextTable::widths() const {
  std::vector<int> widths;
  for (std::size_t column = 0; column < titles_.size(); ++column) {
    int width = display_width(titles_[column]);
    for (const Row& row : rows_) width = std::max(width, display_width(row.cells[column]));
    widths.push_back(width);
  }
  return widths;
}

std::string TextTable::padded(std::size_t column, std::string text, int missing) const {
  return right_[column] ? blanks(missing) + text : text + blanks(missing);
}

std::string TextTable::to_text(int width, const Paint& paint) const {
  std::vector<int> widths = this->widths();
  if (width != 0) {
    const int before_last =
        sum(widths) - widths.back() + kGap * static_cast<int>(widths.size() - 1);
    widths.back() = std::min(widths.back(), std::max(width - before_last, kLeastLast));
  }
  const auto line = [&](std::size_t row, const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t column = 0; column < cells.size(); ++column) {
      const std::string cell = cut_to_width(cells[column], widths[column], "...");
      const bool plain = !paint || row == kTitles || cell.empty();
      if (column > 0) text += blanks(kGap);
      text += padded(column, plain ? cell : paint(row, column, cell),
                     widths[column] - display_width(cell));
    }
    return without_trailing_blanks(text) + "\n";
  };
  std::string text = line(kTitles, titles_);
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    text += line(row, rows_[row].cells);
    for (const std::string& note : rows_[row].notes) text += wrap(note, width, kNoteIndent);
  }
  return text;
}

std::string TextTable::to_ruled_text() const {
  const std::vector<int> widths = this->widths();
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t column = 0; column < cells.size(); ++column) {
      if (column > 0) text += " | ";
      text += padded(column, cells[column], widths[column] - display_width(cells[column]));
    }
    return without_trailing_blanks(text) + "\n";
  };
  const std::string rule(
      static_cast<std::size_t>(sum(widths) + 3 * static_cast<int>(widths.size() - 1)), '-');
  std::string text = line(titles_) + rule + "\n";
  for (const Row& row : rows_) text += line(row.cells);
  return text + rule;
}

std::string TextTable::to_boxed_text(int width, const TableBox& box, const Paint& paint) const {
  std::vector<int> widths = this->widths();
  while (sum(widths) + 3 * static_cast<int>(widths.size()) + 1 > width) {
    const auto widest = std::max_element(widths.begin(), widths.end());
    if (*widest <= kLeastBoxed) break;
    --*widest;
  }
  const auto line = [&](std::size_t row, const std::vector<std::string>& cells,
                        std::string_view border) {
    std::string text(border);
    for (std::size_t column = 0; column < cells.size(); ++column) {
      const std::string cell = cut_to_width(cells[column], widths[column], box.cut_mark);
      const std::string shown = padded(column, cell, widths[column] - display_width(cell));
      text += " " + (paint ? paint(row, column, shown) : shown) + " " + std::string(border);
    }
    return text + "\n";
  };
  std::string text = rule(box.top, widths) + line(kTitles, titles_, box.title_border) +
                     rule(box.below_titles, widths);
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    text += line(row, rows_[row].cells, box.border);
  }
  return text + rule(box.bottom, widths);
}

}  // namespace grapnel
