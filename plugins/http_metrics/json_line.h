// One JSON object on one line, built from its fields in order.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace json {

inline std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c));
      out += code;
    } else {
      out += c;
    }
  }
  return out + '"';
}

/// JSON has no NaN and no infinities: they are texts.
inline std::string number(double value) {
  if (std::isnan(value)) return "\"NaN\"";
  if (std::isinf(value)) return value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  char digits[40];  // std::to_chars: printf would write a locale's decimal comma
  return std::string(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

class Line {
 public:
  Line& add(std::string_view key, std::string_view text) { return put(key, quoted(text)); }
  Line& add(std::string_view key, const char* text) { return put(key, quoted(text)); }
  Line& add(std::string_view key, double value) { return put(key, number(value)); }
  Line& add(std::string_view key, std::int64_t value) { return put(key, std::to_string(value)); }
  Line& add(std::string_view key, bool value) { return put(key, value ? "true" : "false"); }
  Line& add_null(std::string_view key) { return put(key, "null"); }
  std::string text() const { return text_ + '}'; }

 private:
  Line& put(std::string_view key, const std::string& value) {
    text_ += (text_.size() > 1 ? "," : "") + quoted(key) + ":" + value;
    return *this;
  }
  std::string text_ = "{";
};

}  // namespace json
