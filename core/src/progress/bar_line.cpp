#include "progress/bar_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "grapnel/base/text.h"
#include "grapnel/base/text_table.h"

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

}  // namespace

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
