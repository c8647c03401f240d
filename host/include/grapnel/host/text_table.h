// Columns of text for a terminal. Cells have been made printable by whoever fills them.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace grapnel::host {

class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header);

  // As many cells as the header has. `notes` stand below the row, indented and wrapped.
  void add(std::vector<std::string> cells, std::vector<std::string> notes = {});

  // Adds colour to a cell after its width has been decided: (row, column, text) -> text.
  using Paint = std::function<std::string(std::size_t, std::size_t, const std::string&)>;

  // Lines of at most `width` columns where the last column can be cut to fit ("..."); 0: no limit.
  // Never a space at the end of a line.
  [[nodiscard]] std::string to_text(std::size_t width, const Paint& paint = {}) const;

 private:
  struct Row {
    std::vector<std::string> cells;
    std::vector<std::string> notes;
  };
  std::vector<std::string> header_;
  std::vector<Row> rows_;
};

// Columns that the text takes: its code points (wide characters are not known here).
[[nodiscard]] std::size_t display_width(std::string_view text) noexcept;

// Breaks a text at spaces into lines of at most `width` columns, each behind `indent` spaces. Words
// longer than a line stay whole. Width 0: one line.
[[nodiscard]] std::string wrap(std::string_view text, std::size_t width, std::size_t indent);

}  // namespace grapnel::host
