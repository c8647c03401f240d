#include "progress/bar_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "grapnel/base/text.h"

namespace grapnel {

namespace {

constexpr int kDefaultBar = 10;
constexpr int kSmallestBar = 3;

// "07:04", "1:02:03"
std::string clock_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::clamp(seconds, 0.0, 1e9));
  if (whole < 3600) return fmt::format("{:02}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string rate_text(std::optional<double> per_second) {
  if (!per_second.has_value()) return "?it/s";
  if (*per_second >= 1.0) return fmt::format("{:.2f}it/s", *per_second);
  return fmt::format("{:.2f}s/it", 1.0 / *per_second);
}

std::string fill(double fraction, int width, bool utf8) {
  constexpr std::array<std::string_view, 8> kEighths = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto eighths = static_cast<int>(fraction * width * 8);
  std::string out;
  for (int i = 0; i < width; ++i) {
    const int part = std::clamp(eighths - 8 * i, 0, 8);
    if (!utf8) {
      out += part == 8 ? '#' : ' ';
    } else {
      out += part == 8 ? std::string_view("█") : kEighths[static_cast<size_t>(part)];
    }
  }
  return out;
}

// The code point at `at`, which moves past it. The text is UTF-8.
char32_t next_code_point(std::string_view text, size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at++]);
  if (lead < 0x80) return lead;
  const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  char32_t code = lead & (0x3Fu >> more);
  for (int i = 0; i < more && at < text.size(); ++i) {
    code = (code << 6) | (static_cast<unsigned char>(text[at++]) & 0x3F);
  }
  return code;
}

// The blocks that Unicode's East Asian Width calls wide, and emoji.
int columns_of(char32_t code) {
  const bool wide = (code >= 0x1100 && code <= 0x115F) || (code >= 0x2E80 && code <= 0xA4CF) ||
                    (code >= 0xAC00 && code <= 0xD7A3) || (code >= 0xF900 && code <= 0xFAFF) ||
                    (code >= 0xFE30 && code <= 0xFE6F) || (code >= 0xFF00 && code <= 0xFF60) ||
                    (code >= 0xFFE0 && code <= 0xFFE6) || (code >= 0x1F300 && code <= 0x1FAFF) ||
                    (code >= 0x20000 && code <= 0x3FFFD);
  return wide ? 2 : 1;
}

}  // namespace

std::string cut_to_width(const std::string& text, int width, std::string_view mark) {
  if (display_width(text) <= width) return text;
  const int room = std::max(0, width - display_width(mark));
  int used = 0;
  size_t kept = 0;
  for (size_t at = 0; at < text.size(); kept = at) {
    used += columns_of(next_code_point(text, at));
    if (used > room) break;
  }
  return text.substr(0, kept) + std::string(mark);
}

int display_width(std::string_view text) {
  int used = 0;
  for (size_t at = 0; at < text.size();) used += columns_of(next_code_point(text, at));
  return used;
}

std::vector<std::string> postfix_texts(const Postfix& postfix) {
  std::vector<std::string> out;
  for (const auto& [name, value] : postfix) {
    out.push_back(fmt::format("{}={}", printable(name), printable(format_postfix_value(value))));
  }
  return out;
}

std::string bar_line(const BarState& state, std::optional<int> width, bool utf8) {
  const std::string head = state.description.empty() ? "" : state.description + ": ";
  const bool has_end =
      state.total.has_value() && *state.total >= std::max<std::int64_t>(state.n, 1);
  std::string left;   // of the bar
  std::string right;  // of it, up to the metrics
  double fraction = 0.0;
  if (has_end) {
    fraction = static_cast<double>(state.n) / static_cast<double>(*state.total);
    const double missing = static_cast<double>(*state.total - state.n);
    const std::string remaining =
        state.per_second.has_value() ? clock_text(missing / *state.per_second) : "?";
    left = fmt::format("{}{:3.0f}%|", head, std::floor(fraction * 100));
    right = fmt::format("| {}/{} [{}<{}, {}", state.n, *state.total, clock_text(state.elapsed),
                        remaining, rate_text(state.per_second));
  } else {
    right = fmt::format("{}{}it [{}, {}", head, state.n, clock_text(state.elapsed),
                        rate_text(state.per_second));
  }

  const int fixed = display_width(left) + display_width(right) + 1 + (has_end ? kSmallestBar : 0);
  std::string metrics;
  for (size_t i = 0; i < state.postfix.size(); ++i) {
    const std::string next = metrics + ", " + state.postfix[i];
    const bool last = i + 1 == state.postfix.size();
    const std::string more = utf8 ? ", …" : ", ...";
    const int needed = fixed + display_width(next) + (last ? 0 : display_width(more));
    if (width.has_value() && needed > *width) {
      if (fixed + display_width(metrics) + display_width(more) <= *width) metrics += more;
      break;
    }
    metrics = next;
  }
  right += metrics + "]";
  if (has_end) {
    const int room =
        width.has_value() ? *width - display_width(left) - display_width(right) : kDefaultBar;
    left += fill(fraction, std::max(room, kSmallestBar), utf8);
  }
  const std::string line = left + right;
  return width.has_value() ? cut_to_width(line, *width) : line;
}

}  // namespace grapnel
