#include "progress/rich_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"
#include "grapnel/base/text_table.h"
#include "progress/text_style.h"
#include "text/python_format.h"

namespace grapnel {

namespace {

constexpr int kWidestRichBar = 40;
constexpr int kNarrowestRichBar = 5;

// "0:00:07"
std::string long_clock_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::clamp(seconds, 0.0, 1e9));
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string repeated(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

std::string speed_text(std::optional<double> per_second) {
  return fmt::format("{:.2f}it/s", per_second.value_or(0.0));
}

// Filled up to the fraction, with a notch at its end and the rest dim.
std::string filled_bar(double fraction, int width, const RichLook& look) {
  const int full = std::clamp(static_cast<int>(std::floor(fraction * width)), 0, width);
  const bool done = full == width;
  const std::string& style = done ? look.theme.progress_bar_finished : look.theme.progress_bar;
  const char* line = look.utf8 ? "━" : "=";
  std::string out = styled(repeated(line, full), style, look.colors);
  if (done) return out;
  if (look.utf8) {
    return out + styled("╺" + repeated("━", width - full - 1), "dim", look.colors);
  }
  return out + styled(">", style, look.colors) + repeated(" ", width - full - 1);
}

// A piece of a third that goes to and fro, once in two seconds.
std::string pulsing_bar(double elapsed, int width, const RichLook& look) {
  const int piece = std::max(width / 3, 1);
  const double phase = std::abs(std::fmod(elapsed, 2.0) - 1.0);
  const int before = static_cast<int>(std::lround(phase * (width - piece)));
  const char* line = look.utf8 ? "━" : "=";
  const char* empty = look.utf8 ? "━" : " ";
  return styled(repeated(empty, before), "dim", look.colors) +
         styled(repeated(line, piece), look.theme.progress_bar_pulse, look.colors) +
         styled(repeated(empty, width - piece - before), "dim", look.colors);
}

// Metrics as far as they fit; those that don't are left out whole.
std::string fitting_metrics(const BarState& state, int room, const RichLook& look) {
  std::string out;
  for (const std::string& metric : state.postfix) {
    const std::string next =
        out.empty() ? metric : out + look.theme.metrics_text_delimiter + metric;
    if (display_width(next) + 1 > room) break;
    out = next;
  }
  return out;
}

}  // namespace

std::string rich_line(const BarState& state, int width, const RichLook& look) {
  const BarTheme& theme = look.theme;
  const bool counted =
      state.total.has_value() && *state.total >= std::max<std::int64_t>(state.n, 1);
  const std::string count =
      fmt::format("{}/{}", state.n, counted ? fmt::format("{}", *state.total) : "--");
  std::string left = "-:--:--";
  if (counted && state.per_second.has_value()) {
    left = long_clock_text(static_cast<double>(*state.total - state.n) / *state.per_second);
  }
  const std::string time =
      fmt::format("{} {} {}", long_clock_text(state.elapsed), look.utf8 ? "•" : "-", left);
  const std::string speed = speed_text(state.per_second);

  // Between the parts, one column each.
  const int fixed = display_width(state.description) + display_width(count) + display_width(time) +
                    display_width(speed) + 4;
  const int narrow = std::max(width - fixed - kNarrowestRichBar, 0);
  const std::string metrics = fitting_metrics(state, narrow, look);
  const int taken = fixed + (metrics.empty() ? 0 : display_width(metrics) + 1);
  const int bar = std::min(width - taken, kWidestRichBar);
  if (bar < kNarrowestRichBar) {
    return cut_to_width(fmt::format("{} {} {} {}", state.description, count, time, speed), width);
  }
  const double fraction =
      counted ? static_cast<double>(state.n) / static_cast<double>(*state.total) : 0.0;
  std::string line = styled(state.description, theme.description, look.colors) + " ";
  line += counted ? filled_bar(fraction, bar, look) : pulsing_bar(state.elapsed, bar, look);
  line += " " + styled(count, theme.batch_progress, look.colors);
  line += " " + styled(time, theme.time, look.colors);
  line += " " + styled(speed, theme.processing_speed, look.colors);
  if (!metrics.empty()) line += " " + styled(metrics, theme.metrics, look.colors);
  return line;
}

std::vector<std::string> rich_postfix_texts(const Postfix& postfix, const BarTheme& theme) {
  std::vector<std::string> out;
  for (const auto& [name, value] : postfix) {
    const auto* number = std::get_if<double>(&value);
    const std::string text = number != nullptr ? python_format(*number, theme.metrics_format)
                                               : format_postfix_value(value);
    out.push_back(fmt::format("{}: {}", printable(name), printable(text)));
  }
  return out;
}

}  // namespace grapnel
