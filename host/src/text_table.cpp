#include <grapnel/host/text_table.h>

#include <algorithm>
#include <utility>

namespace grapnel::host {
namespace {

constexpr std::size_t gap = 2;  // spaces between columns
constexpr std::size_t note_indent = 4;

bool starts_code_point(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
}

// The first `width` columns, the last three of them "..." when something is lost.
std::string cut(const std::string& text, std::size_t width) {
  if (display_width(text) <= width) return text;
  const std::size_t kept = width > 3 ? width - 3 : 0;
  std::size_t columns = 0, bytes = 0;
  for (; bytes < text.size(); ++bytes) {
    if (starts_code_point(text[bytes]) && columns++ == kept) break;
  }
  return text.substr(0, bytes) + std::string("...").substr(0, std::min<std::size_t>(width, 3));
}

}  // namespace

std::size_t display_width(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(text, starts_code_point));
}

std::string wrap(std::string_view text, std::size_t width, std::size_t indent) {
  const std::string margin(indent, ' ');
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
    const std::size_t needed = indent + display_width(line) + 1 + display_width(word);
    if (!line.empty() && width != 0 && needed > width) flush();
    if (!line.empty()) line += ' ';
    line += word;
  }
  flush();
  return wrapped;
}

TextTable::TextTable(std::vector<std::string> header) : header_(std::move(header)) {}

void TextTable::add(std::vector<std::string> cells, std::vector<std::string> notes) {
  cells.resize(header_.size());
  rows_.push_back({std::move(cells), std::move(notes)});
}

std::string TextTable::to_text(std::size_t width, const Paint& paint) const {
  const std::size_t last = header_.size() - 1;
  std::vector<std::size_t> widths;
  for (std::size_t column = 0; column < header_.size(); ++column) {
    widths.push_back(display_width(header_[column]));
    for (const Row& row : rows_) {
      widths[column] = std::max(widths[column], display_width(row.cells[column]));
    }
  }
  std::size_t before_last = 0;
  for (std::size_t column = 0; column < last; ++column) before_last += widths[column] + gap;
  // A last column of a few letters says nothing; then the line may as well be too long.
  constexpr std::size_t least = 12;
  const std::size_t room = width > before_last + least ? width - before_last : least;

  std::string text;
  const auto add_line = [&](const std::vector<std::string>& cells, const auto& painted) {
    std::string line;
    for (std::size_t column = 0; column < cells.size(); ++column) {
      const std::string cell =
          column == last && width != 0 ? cut(cells[column], room) : cells[column];
      // Spaces are added only before something, so that no line ends in one.
      line += cell.empty() ? cell : painted(column, cell);
      if (column == last) break;
      line += std::string(widths[column] + gap - display_width(cell), ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  add_line(header_, [](std::size_t, const std::string& cell) { return cell; });
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    add_line(rows_[row].cells, [&](std::size_t column, const std::string& cell) {
      return paint ? paint(row, column, cell) : cell;
    });
    for (const std::string& note : rows_[row].notes) text += wrap(note, width, note_indent);
  }
  return text;
}

}  // namespace grapnel::host
