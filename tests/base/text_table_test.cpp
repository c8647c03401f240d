#include <grapnel/base/text_table.h>

#include "catch.h"

namespace text_table_test {

using namespace grapnel;

TEST_CASE("table columns are as wide as their widest cell, and no line ends in a space") {
  TextTable table({"ID", "STATE", "SUMMARY"});
  table.add({"ema", "enabled", "Averages."});
  table.add({"nan_guard", "", ""});
  CHECK(table.to_text(80) ==
        "ID         STATE    SUMMARY\n"
        "ema        enabled  Averages.\n"
        "nan_guard\n");
}

TEST_CASE("a table's last column is cut to the terminal's width, the others never") {
  TextTable table({"ID", "SUMMARY"});
  table.add({"ema", "Keeps an average of the weights."});
  CHECK(table.to_text(25) == "ID   SUMMARY\nema  Keeps an average ...\n");
  CHECK(table.to_text(0) == "ID   SUMMARY\nema  Keeps an average of the weights.\n");
}

TEST_CASE("multi-byte characters in a table count as one column and are never cut in half") {
  TextTable table({"NAME", "SUMMARY"});
  table.add({"größe", "Größenänderung überall"});
  CHECK(table.to_text(20) == "NAME   SUMMARY\ngröße  Größenände...\n");
}

TEST_CASE("a table's notes are wrapped below their row") {
  TextTable table({"ID", "STATE"});
  table.add({"ema", "refused"}, {"it needs ABI 1.4, this host offers 1.3"});
  CHECK(table.to_text(30) ==
        "ID   STATE\n"
        "ema  refused\n"
        "    it needs ABI 1.4, this\n"
        "    host offers 1.3\n");
}

TEST_CASE("colour codes don't count in a table's widths") {
  TextTable table({"A", "B"});
  table.add({"x", "y"});
  const auto paint = [](std::size_t, std::size_t column, const std::string& cell) {
    return column == 0 ? "\x1b[1m" + cell + "\x1b[0m" : cell;
  };
  CHECK(table.to_text(80, paint) == "A  B\n\x1b[1mx\x1b[0m  y\n");
}

TEST_CASE("a word longer than the line is not broken in a table's note") {
  CHECK(wrap("a /very/long/path b", 8, 2) == "  a\n  /very/long/path\n  b\n");
  CHECK(wrap("", 8, 2).empty());
  CHECK(wrap("one line", 0, 1) == " one line\n");
}

}  // namespace text_table_test
