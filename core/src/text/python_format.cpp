#include "text/python_format.h"

#include <fmt/format.h>

#include <algorithm>
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
  throw ConfigError::of("",
                        "the format {} is not usable: {}; accepted are Python's number formats, "
                        "such as '03d', '.2f' and '.3e'",
                        quote(spec), why);
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

// The magnitude as fmt writes it in a type that both languages have.
template <class Number>
std::string fmt_digits(Number magnitude, const Spec& spec, char type, int precision = -1) {
  const std::string digits = precision < 0 ? "" : fmt::format(".{}", precision);
  const std::string format =
      fmt::format("{{:{}{}{}}}", spec.alternate ? "#" : "", digits, std::string_view(&type, 1));
  return fmt::format(fmt::runtime(format), magnitude);
}

// Without the zeros that end a fraction, but for one digit after the point.
void trim_zeros(std::string& digits) {
  const size_t point = digits.find('.');
  if (point == std::string::npos) return;
  digits.erase(std::max(digits.find_last_not_of('0') + 1, point + 2));
}

// repr(): fmt's shortest digits, which always look like a double's.
std::string shortest(double magnitude) {
  std::string digits = fmt::format("{}", magnitude);
  if (digits.find_first_not_of("0123456789") == std::string::npos) digits += ".0";
  return digits;
}

// A format without a type: 'g' with a digit after the point, and scientific for one power less.
std::string typeless(double magnitude, int precision, bool alternate) {
  precision = std::max(precision, 1);
  std::string scientific = fmt::format("{:.{}e}", magnitude, precision - 1);
  const size_t e = scientific.find('e');
  const int exponent = std::stoi(scientific.substr(e + 1));
  if (exponent >= -4 && exponent < precision - 1) {
    std::string digits = fmt::format("{:.{}f}", magnitude, precision - 1 - exponent);
    if (!alternate) trim_zeros(digits);
    return digits;
  }
  if (alternate) return scientific;
  std::string mantissa = scientific.substr(0, e);
  trim_zeros(mantissa);
  if (mantissa.ends_with(".0")) mantissa.resize(mantissa.size() - 2);
  return mantissa + scientific.substr(e);
}

std::string double_digits(double magnitude, const Spec& spec, std::string_view text) {
  const int precision = spec.precision < 0 ? 6 : spec.precision;
  switch (spec.type) {
    case '\0':
      return spec.precision < 0 || !std::isfinite(magnitude)
                 ? shortest(magnitude)
                 : typeless(magnitude, precision, spec.alternate);
    case 'f':
    case 'F':
    case 'e':
    case 'E':
    case 'g':
    case 'G':
      return fmt_digits(magnitude, spec, spec.type, precision);
    case 'n':
      return fmt_digits(magnitude, spec, 'g', precision);
    case '%':
      return fmt_digits(magnitude * 100, spec, 'f', precision) + "%";
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
    case 'o':
      return fmt::format("{}{:o}", spec.alternate ? "0o" : "", magnitude);
    case 'b':
    case 'x':
    case 'X':
      return fmt_digits(magnitude, spec, spec.type);
    default:
      refuse_format(text, fmt::format("'{}' is not a format of an integer", spec.type));
  }
}

void group(std::string& digits, char separator) {
  const size_t whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
  for (size_t at = whole; at > 3; at -= 3) digits.insert(at - 3, 1, separator);
}

std::string pad(const std::string& sign, const std::string& digits, const Spec& spec) {
  const size_t length = sign.size() + digits.size();
  const size_t missing = spec.width > length ? spec.width - length : 0;
  const size_t before = spec.align == '<' ? 0 : spec.align == '^' ? missing / 2 : missing;
  const auto fill = [&](size_t count) {
    std::string out;
    while (count-- > 0) out += spec.fill;
    return out;
  };
  const std::string left = fill(before);
  return (spec.align == '=' ? sign + left : left + sign) + digits + fill(missing - before);
}

}  // namespace

std::string python_repr(double value) {
  if (std::isnan(value)) return "nan";
  const std::string digits = shortest(std::abs(value));
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
  if (spec.grouping != '\0') group(digits, spec.grouping);
  const std::string sign = negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
  return pad(sign, digits, spec);
}

}  // namespace grapnel
