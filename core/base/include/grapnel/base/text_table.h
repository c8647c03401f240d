// Text in columns, for terminals and logs: how wide it is, and tables of it.
//
// Rule: text from outside must be printable() (text.h) before it gets here.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/base/export.h>

namespace grapnel {

// Columns of a terminal that the text takes: 2 for East Asian wide characters and emoji, 1 for
// every other code point.
[[nodiscard]] GRAPNEL_BASE_API int display_width(std::string_view text) noexcept;

// The text when it fits into `width` columns, else as much of it as fits before `mark`.
[[nodiscard]] GRAPNEL_BASE_API std::string cut_to_width(std::string_view text, int width,
                                                        std::string_view mark = "");

// Breaks a text at spaces into lines of at most `width` columns, each behind `indent` spaces. Words
// longer than a line stay whole. Width 0: one line.
[[nodiscard]] GRAPNEL_BASE_API std::string wrap(std::string_view text, int width, int indent);

// The lines around the cells of a boxed table.
struct GRAPNEL_BASE_API TableBox {
  struct Rule {
    std::string_view left, line, between, right;
  };
  Rule top, below_titles, bottom;
  std::string_view title_border;  // between the titles, and at both ends
  std::string_view border;        // the same in rows
  std::string_view cut_mark;      // at the end of a cell that was cut

  [[nodiscard]] static const TableBox& lines();  // box-drawing characters
  [[nodiscard]] static const TableBox& ascii();
};

class GRAPNEL_BASE_API TextTable {
 public:
  explicit TextTable(std::vector<std::string> titles);

  // Numbers: blanks go before the text.
  TextTable& align_right(std::size_t column);

  // As many cells as there are titles; missing ones are empty. `notes` go below the row in plain
  // tables, indented and wrapped.
  void add(std::vector<std::string> cells, std::vector<std::string> notes = {});

  // Adds colour to a cell after its width has been decided: (row, column, text) -> text.
  using Paint = std::function<std::string(std::size_t, std::size_t, const std::string&)>;
  static constexpr std::size_t kTitles = static_cast<std::size_t>(-1);  // their row

  // Two spaces between columns. Lines of at most `width` columns where the last column can be cut
  // to fit ("..."); 0: no limit. No line ends in a space. Titles are not painted.
  [[nodiscard]] std::string to_text(int width = 0, const Paint& paint = {}) const;

  // " | " between columns, a rule below the titles and another after the last row, which has no
  // newline. No line ends in a space.
  [[nodiscard]] std::string to_ruled_text() const;

  // Lines around every cell. The widest columns are narrowed until the table fits into `width`
  // columns or each has 3.
  [[nodiscard]] std::string to_boxed_text(int width, const TableBox& box,
                                          const Paint& paint = {}) const;

 private:
  struct Row {
    std::vector<std::string> cells;
    std::vector<std::string> notes;
  };
  // Of each column, without cutting.
  [[nodiscard]] std::vector<int> widths() const;
  [[nodiscard]] std::string padded(std::size_t column, std::string text, int missing) const;

  std::vector<std::string> titles_;
  std::vector<bool> right_;  // by column
  std::vector<Row> rows_;
};

}  // namespace grapnel
