#include "progress/text_style.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <vector>

#include "grapnel/base/error.h"
#include "grapnel/base/platform.h"
#include "grapnel/base/text.h"

namespace grapnel {

namespace {

struct StyleWord {
  std::string_view word;
  int code;  // of SGR
};

constexpr std::array<StyleWord, 12> kStyleWords = {{{"bold", 1},
                                                    {"dim", 2},
                                                    {"italic", 3},
                                                    {"underline", 4},
                                                    {"black", 30},
                                                    {"red", 31},
                                                    {"green", 32},
                                                    {"yellow", 33},
                                                    {"blue", 34},
                                                    {"magenta", 35},
                                                    {"cyan", 36},
                                                    {"white", 37}}};

struct Rgb {
  int red = 0;
  int green = 0;
  int blue = 0;
};

std::optional<Rgb> parse_rgb(std::string_view word) {
  if (word.size() != 7 || word.front() != '#') return std::nullopt;
  std::uint32_t value = 0;
  const auto [end, failed] = std::from_chars(word.data() + 1, word.data() + 7, value, 16);
  if (failed != std::errc() || end != word.data() + 7) return std::nullopt;
  return Rgb{static_cast<int>(value >> 16), static_cast<int>(value >> 8 & 0xFF),
             static_cast<int>(value & 0xFF)};
}

// The nearest of the 6 x 6 x 6 colours from 16 on of a terminal with 256.
int nearest_of_256(const Rgb& color) {
  const auto level = [](int value) { return (value * 5 + 127) / 255; };
  return 16 + 36 * level(color.red) + 6 * level(color.green) + level(color.blue);
}

int nearest_of_8(const Rgb& color) {
  const int brightest = std::max({color.red, color.green, color.blue, 1});
  const auto on = [&](int value) { return 2 * value > brightest ? 1 : 0; };
  return 30 + on(color.red) + 2 * on(color.green) + 4 * on(color.blue);
}

std::string color_code(const Rgb& color, TerminalColors colors) {
  if (colors == TerminalColors::all) {
    return fmt::format("38;2;{};{};{}", color.red, color.green, color.blue);
  }
  if (colors == TerminalColors::some) return fmt::format("38;5;{}", nearest_of_256(color));
  return fmt::format("{}", nearest_of_8(color));
}

[[noreturn]] void refuse_style(std::string_view word, std::string_view style) {
  std::vector<std::string> known;
  for (const StyleWord& entry : kStyleWords) known.emplace_back(entry.word);
  throw ConfigError::of("",
                        "{} in the style {} is unknown{}; known are {} and colours as '#6206E0'",
                        quote(word), quote(style), did_you_mean(word, known), join(known));
}

}  // namespace

std::string style_sequence(std::string_view style, TerminalColors colors) {
  std::string codes;
  for (size_t at = 0; at < style.size();) {
    const size_t end = std::min(style.find(' ', at), style.size());
    const std::string_view word = style.substr(at, end - at);
    at = end + 1;
    if (word.empty()) continue;
    if (!codes.empty()) codes += ';';
    if (const auto rgb = parse_rgb(word)) {
      codes += color_code(*rgb, colors);
      continue;
    }
    const auto known = std::find_if(kStyleWords.begin(), kStyleWords.end(),
                                    [&](const StyleWord& entry) { return entry.word == word; });
    if (known == kStyleWords.end()) refuse_style(word, style);
    codes += fmt::format("{}", known->code);
  }
  return codes.empty() || colors == TerminalColors::none ? "" : "\x1b[" + codes + "m";
}

std::string styled(std::string_view text, std::string_view style, TerminalColors colors) {
  const std::string begin = style_sequence(style, colors);
  return begin.empty() || text.empty() ? std::string(text) : begin + std::string(text) + "\x1b[0m";
}

TerminalColors terminal_colors() {
  if (!environment_variable("NO_COLOR").value_or("").empty()) return TerminalColors::none;
  const std::string depth = environment_variable("COLORTERM").value_or("");
  if (depth == "truecolor" || depth == "24bit") return TerminalColors::all;
  const std::string name = environment_variable("TERM").value_or("");
  if (name.empty() || name == "dumb") return TerminalColors::none;
  return name.find("256color") != std::string::npos ? TerminalColors::some : TerminalColors::few;
}

}  // namespace grapnel
