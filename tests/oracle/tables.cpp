#include "tables.h"

#include <vector>

namespace grapnel::oracle {
namespace {

// "0 | encoder | Sequential": blanks around cells removed, runs of blanks made one.
std::string normalized(std::string_view line) {
  std::string result;
  bool blank = true;
  for (const char c : line) {
    if (c == ' ' || c == '\t') {
      if (!blank) result += ' ';
      blank = true;
    } else {
      result += c;
      blank = false;
    }
  }
  while (!result.empty() && result.back() == ' ') result.pop_back();
  return result;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string line = normalized(text.substr(0, end));
    if (line.find_first_not_of('-') != std::string::npos) lines.push_back(std::move(line));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

}  // namespace

bool is_table(std::string_view text) {
  return text.find('\n') != std::string_view::npos && text.find(" | ") != std::string_view::npos;
}

std::optional<std::string> table_difference(std::string_view recorded, std::string_view ours) {
  const std::vector<std::string> expected = lines_of(recorded);
  const std::vector<std::string> found = lines_of(ours);
  for (std::size_t i = 0; i < std::max(expected.size(), found.size()); ++i) {
    const std::string a = i < expected.size() ? expected[i] : "(nothing)";
    const std::string b = i < found.size() ? found[i] : "(nothing)";
    if (a != b) return "line " + std::to_string(i + 1) + ": expected '" + a + "', got '" + b + "'";
  }
  return {};
}

}  // namespace grapnel::oracle
