// Sizes, counts and durations for people; declared in text.h.
#include <grapnel/base/text.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

namespace grapnel {
namespace {

// printf would follow the locale's decimal point.
std::string fixed(double value, int decimals) {
  std::array<char, 64> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                 std::chars_format::fixed, decimals);
  return {buffer.data(), end.ptr};
}

std::string two_digits(std::int64_t value) {
  std::string out = std::to_string(value);
  return out.size() < 2 ? "0" + out : out;
}

std::string scaled(double value, double step, std::span<const std::string_view> units) {
  std::size_t unit = 0;
  // 0.05 below the step would be rounded to the step itself ("1024.0 KiB").
  while (value >= step - 0.05 && unit + 1 < units.size()) {
    value /= step;
    ++unit;
  }
  return fixed(value, value < 99.95 ? 1 : 0) + " " + std::string(units[unit]);
}

}  // namespace

std::string human_bytes(std::uint64_t bytes) {
  static constexpr std::array<std::string_view, 6> units = {"KiB", "MiB", "GiB",
                                                            "TiB", "PiB", "EiB"};
  if (bytes < 1024) return std::to_string(bytes) + " B";
  return scaled(static_cast<double>(bytes) / 1024.0, 1024.0, units);
}

std::string human_count(std::uint64_t count) {
  static constexpr std::array<std::string_view, 4> units = {"K", "M", "B", "T"};
  if (count < 1000) return std::to_string(count);
  // As Lightning's get_human_readable_count: whole numbers from 100 on, below with one decimal.
  size_t unit = 0;
  double value = static_cast<double>(count) / 1000.0;
  for (; value >= 1000.0 && unit + 1 < units.size(); ++unit) value /= 1000.0;
  std::string text = value >= 100.0 ? fixed(std::floor(value), 0) : fixed(value, 1);
  const size_t point = std::min(text.find('.'), text.size());
  for (size_t i = point; i > 3; i -= 3) text.insert(i - 3, ",");
  return text + " " + std::string(units.at(unit));
}

std::string human_seconds(double seconds) {
  if (std::isnan(seconds)) return "unknown";
  if (seconds < 0) return "-" + human_seconds(-seconds);
  if (seconds > 1e15) return "forever";
  if (seconds < 0.9995) return fixed(seconds * 1000.0, 0) + " ms";
  if (seconds < 59.95) return fixed(seconds, 1) + " s";
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  const std::int64_t minutes = whole / 60;
  if (minutes < 60) return std::to_string(minutes) + " min " + two_digits(whole % 60) + " s";
  const std::int64_t hours = minutes / 60;
  if (hours < 24) return std::to_string(hours) + " h " + two_digits(minutes % 60) + " min";
  return std::to_string(hours / 24) + " d " + two_digits(hours % 24) + " h";
}

std::optional<std::int64_t> parse_duration(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  // ...D:HH:MM:SS; the last nine characters have a fixed shape.
  if (text.size() < 10) return std::nullopt;
  const std::string_view clock = text.substr(text.size() - 9);
  const std::string_view day_text = text.substr(0, text.size() - 9);
  const auto digits = [](std::string_view part) -> std::optional<std::int64_t> {
    std::int64_t value = 0;
    if (part.empty() || part.front() == '-') return std::nullopt;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc() || end != part.data() + part.size()) return std::nullopt;
    return value;
  };
  if (clock[0] != ':' || clock[3] != ':' || clock[6] != ':') return std::nullopt;
  const auto days = digits(day_text);
  const auto hours = digits(clock.substr(1, 2));
  const auto minutes = digits(clock.substr(4, 2));
  const auto seconds = digits(clock.substr(7, 2));
  if (!days || !hours || !minutes || !seconds) return std::nullopt;
  constexpr std::int64_t day = 24 * 60 * 60;
  if (*days > std::numeric_limits<std::int64_t>::max() / day - 1) return std::nullopt;
  return *days * day + *hours * 3600 + *minutes * 60 + *seconds;
}

}  // namespace grapnel
