// What every message goes through last, whoever put text from a file or a plugin into it.
#pragma once

#include <grapnel/base/text.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace grapnel::detail {

// printable() of each line: a message may have several, and tables of other characters than ASCII's.
inline std::string printable_lines(std::string_view text) {
  const auto is_plain = [](char c) { return c == '\n' || (c >= 0x20 && c < 0x7f); };
  if (std::ranges::all_of(text, is_plain)) return std::string(text);
  std::string out;
  for (std::string_view rest = text;;) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    out += printable(line, line.size());
    if (end == std::string_view::npos) return out;
    out += '\n';
    rest.remove_prefix(end + 1);
  }
}

}  // namespace grapnel::detail
