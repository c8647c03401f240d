#include "text/python_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"

namespace grapnel {

namespace {

// The mini-language's parts: [[fill]align][sign][#][0][width][,|_][.precision][type]
struct Spec {
  std::string fill = " ";
  char align = '\0';
  char sign = '-';
  bool alternate = false;
  bool zero = false;
  size_t width = 0;
  char grouping = '\0';
  int precision = -1;
  char type = '\0';
};

[[noreturn]] void refuse_format(std::string_view spec, std::string_view why) {
  throw ConfigError({}, fmt::format("the format {} is not usable: {}; accepted are Python's number "
                                    "formats, such as '03d', '.2f' and '.3e'",
                                    quote(spec), why));
}

int parse_digits(std::string_view spec, size_t& at) {
  int value = 0;
  while (at < spec.size() && spec[at] >= '0' && spec[at] <= '9') {
    value = value * 10 + (spec[at++] - '0');
    if (value > 200) refuse_format(spec, "a width or precision above 200");
  }
  return value;
}

bool is_align(char c) {
  return c == '<' || c == '>' || c == '^' || c == '=';
}

Spec parse(std::string_view spec) {
  Spec out;
  size_t at = 0;
  // The fill is one character, which may be several bytes.
  size_t fill = spec.empty() ? 0 : 1;
  while (fill < spec.size() && (static_cast<unsigned char>(spec[fill]) & 0xC0) == 0x80) ++fill;
  if (fill < spec.size() && is_align(spec[fill])) {
    out.fill = spec.substr(0, fill);
    out.align = spec[fill];
    at = fill + 1;
  } else if (!spec.empty() && is_align(spec[0])) {
    out.align = spec[at++];
  }
  const auto accept = [&](char c) {
    return at < spec.size() && spec[at] == c ? (++at, true) : false;
  };
  if (at < spec.size() && (spec[at] == '+' || spec[at] == '-' || spec[at] == ' '))
    out.sign = spec[at++];
  out.alternate = accept('#');
  out.zero = accept('0');
  out.width = static_cast<size_t>(parse_digits(spec, at));
  if (accept(',')) out.grouping = ',';
  if (accept('_')) out.grouping = '_';
  if (accept('.')) {
    const size_t start = at;
    out.precision = parse_digits(spec, at);
    if (at == start) refuse_format(spec, "no digits after the point");
  }
  if (at < spec.size()) out.type = spec[at++];
  if (at != spec.size())
    refuse_format(spec, fmt::format("{} is left over", quote(spec.substr(at - 1))));
  if (out.zero && out.align == '\0') {
    out.fill = "0";
    out.align = '=';
  }
  if (out.grouping != '\0' && out.align == '=' && out.fill == "0") {
    refuse_format(spec, "thousands separators together with leading zeros");
  }
  return out;
}

std::string to_text(double value, std::chars_format format, int precision) {
  std::array<char, 512> buffer;
  const auto result = precision < 0
                          ? std::to_chars(buffer.begin(), buffer.end(), value, format)
                          : std::to_chars(buffer.begin(), buffer.end(), value, format, precision);
  return {buffer.begin(), result.ptr};
}

// Significant digits without a point, and the power of ten of the first one.
struct Decimal {
  std::string digits;
  int exponent;
};

Decimal decimal(double magnitude, int precision) {
  const std::string text = to_text(magnitude, std::chars_format::scientific, precision);
  const size_t e = text.find('e');
  Decimal out{text.substr(0, e), std::stoi(text.substr(e + 1))};
  std::erase(out.digits, '.');
  return out;
}

std::string scientific(std::string digits, int exponent) {
  if (digits.size() > 1) digits.insert(1, ".");
  return fmt::format("{}e{}{:02}", digits, exponent < 0 ? '-' : '+', std::abs(exponent));
}

std::string plain(std::string digits, int exponent, bool with_point) {
  if (exponent < 0) {
    return "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  }
  const auto whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() < whole) digits.append(whole - digits.size(), '0');
  if (digits.size() > whole) return digits.insert(whole, ".");
  return with_point ? digits + ".0" : digits;
}

// Python's 'g', and its format without a type: with_point then asks for one digit after the point.
std::string general(double magnitude, int precision, bool alternate, bool with_point) {
  precision = std::max(precision, 1);
  Decimal number = decimal(magnitude, precision - 1);
  if (!alternate) {
    number.digits.erase(std::max<size_t>(number.digits.find_last_not_of('0') + 1, 1));
  }
  const bool exponential =
      number.exponent < -4 || number.exponent >= precision - (with_point ? 1 : 0);
  return exponential ? scientific(number.digits, number.exponent)
                     : plain(number.digits, number.exponent, with_point);
}

std::string shortest(double magnitude) {
  const Decimal number = decimal(magnitude, -1);
  return number.exponent < -4 || number.exponent >= 16
             ? scientific(number.digits, number.exponent)
             : plain(number.digits, number.exponent, true);
}

std::string double_digits(double magnitude, const Spec& spec, std::string_view text) {
  if (std::isnan(magnitude)) return "nan";
  if (std::isinf(magnitude)) return "inf";
  const int precision = spec.precision < 0 ? 6 : spec.precision;
  switch (spec.type) {
    case '\0':
      return spec.precision < 0 ? shortest(magnitude)
                                : general(magnitude, precision, spec.alternate, true);
    case 'f':
    case 'F':
      return to_text(magnitude, std::chars_format::fixed, precision);
    case 'e':
    case 'E':
      return to_text(magnitude, std::chars_format::scientific, precision);
    case 'g':
    case 'G':
    case 'n':
      return general(magnitude, precision, spec.alternate, false);
    case '%':
      return to_text(magnitude * 100, std::chars_format::fixed, precision) + "%";
    default:
      refuse_format(text,
                    fmt::format("'{}' is not a format of a floating-point number", spec.type));
  }
}

std::string integer_digits(std::uint64_t magnitude, const Spec& spec, std::string_view text) {
  if (spec.precision >= 0) refuse_format(text, "an integer has no precision");
  switch (spec.type) {
    case '\0':
    case 'd':
    case 'n':
      return fmt::format("{}", magnitude);
    case 'b':
      return fmt::format("{}{:b}", spec.alternate ? "0b" : "", magnitude);
    case 'o':
      return fmt::format("{}{:o}", spec.alternate ? "0o" : "", magnitude);
    case 'x':
      return fmt::format("{}{:x}", spec.alternate ? "0x" : "", magnitude);
    case 'X':
      return fmt::format("{}{:X}", spec.alternate ? "0X" : "", magnitude);
    default:
      refuse_format(text, fmt::format("'{}' is not a format of an integer", spec.type));
  }
}

void group(std::string& digits, char separator) {
  const size_t whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
  for (size_t at = whole; at > 3; at -= 3) digits.insert(at - 3, 1, separator);
}

size_t code_points(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string pad(std::string sign, std::string digits, const Spec& spec) {
  const size_t length = sign.size() + code_points(digits);
  if (spec.width <= length) return sign + digits;
  const size_t missing = spec.width - length;
  size_t before = missing;
  if (spec.align == '<') before = 0;
  if (spec.align == '^') before = missing / 2;
  std::string left;
  std::string right;
  for (size_t i = 0; i < before; ++i) left += spec.fill;
  for (size_t i = before; i < missing; ++i) right += spec.fill;
  if (spec.align == '=') return sign + left + digits;
  return left + sign + digits + right;
}

}  // namespace

std::string python_repr(double value) {
  if (std::isnan(value)) return "nan";
  const std::string digits = std::isinf(value) ? "inf" : shortest(std::abs(value));
  return std::signbit(value) ? "-" + digits : digits;
}

std::string python_repr(std::string_view text) {
  const bool single = text.find('\'') == std::string_view::npos;
  const char mark = single || text.find('"') != std::string_view::npos ? '\'' : '"';
  std::string out(1, mark);
  for (const char c : text) {
    if (c == mark || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + mark;
}

std::string python_timedelta_repr(double seconds) {
  const auto total = static_cast<std::int64_t>(std::llround(seconds * 1e6));
  const std::int64_t day = std::int64_t{86400} * 1000000;
  const std::int64_t days = total / day - (total % day < 0 ? 1 : 0);
  const std::int64_t rest = total - days * day;
  std::string parts;
  const auto add = [&parts](std::string_view name, std::int64_t value) {
    if (value == 0) return;
    parts += fmt::format("{}{}={}", parts.empty() ? "" : ", ", name, value);
  };
  add("days", days);
  add("seconds", rest / 1000000);
  add("microseconds", rest % 1000000);
  return fmt::format("datetime.timedelta({})", parts.empty() ? "0" : parts);
}

std::string python_format(const PythonNumber& value, std::string_view text) {
  const Spec spec = parse(text);
  const auto* integer = std::get_if<std::int64_t>(&value);
  bool negative = false;
  std::string digits;
  if (integer == nullptr || std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos) {
    const double number =
        integer == nullptr ? std::get<double>(value) : static_cast<double>(*integer);
    negative = std::signbit(number) && !std::isnan(number);
    digits = double_digits(std::abs(number), spec, text);
  } else {
    negative = *integer < 0;
    const auto bits = static_cast<std::uint64_t>(*integer);
    digits = integer_digits(negative ? 0 - bits : bits, spec, text);
  }
  if (spec.type == 'E' || spec.type == 'F' || spec.type == 'G') {
    for (char& c : digits) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  if (spec.grouping != '\0') group(digits, spec.grouping);
  std::string sign = negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
  return pad(std::move(sign), std::move(digits), spec);
}

}  // namespace grapnel
