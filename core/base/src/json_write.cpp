#include <grapnel/base/json.h>

#include <array>
#include <charconv>
#include <cmath>

#include "decode_utf8.h"

namespace grapnel {
namespace {

void write_string(std::string& out, std::string_view text) {
  const auto escape = [&](std::uint32_t c) {
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out += "0123456789abcdef"[(c >> shift) & 0xf];
  };
  out += '"';
  for (std::size_t at = 0; at < text.size();) {
    const detail::CodePoint point = detail::decode_utf8(text, at);
    const std::uint32_t c = point.value;
    if (point.bytes == 0) {
      out += "\xef\xbf\xbd";  // U+FFFD
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c < 0x20 || (c >= 0x7f && c < 0xa0)) {
      escape(c);  // control characters beyond what JSON asks for: output may reach a terminal
    } else {
      out += text.substr(at, point.bytes);
    }
    at += point.bytes == 0 ? 1 : point.bytes;
  }
  out += '"';
}

void write_double(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "\"nan\"";
  } else if (std::isinf(value)) {
    out += value > 0 ? "\"inf\"" : "\"-inf\"";
  } else {
    std::array<char, 32> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
    const std::string_view text(buffer.data(), static_cast<std::size_t>(end.ptr - buffer.data()));
    out += text;
    if (text.find_first_of(".e") == std::string_view::npos) out += ".0";  // reads back as a double
  }
}

class Writer {
 public:
  Writer(std::string& out, JsonStyle style) : out_(out), style_(style) {}

  void write(const ConfigValue& value) {
    switch (value.kind()) {
      case ConfigValue::Kind::null:
        out_ += "null";
        break;
      case ConfigValue::Kind::boolean:
        out_ += value.as_bool() ? "true" : "false";
        break;
      case ConfigValue::Kind::integer:
        out_ += std::to_string(value.as_int());
        break;
      case ConfigValue::Kind::number:
        write_double(out_, value.as_double());
        break;
      case ConfigValue::Kind::string:
        write_string(out_, value.as_string());
        break;
      case ConfigValue::Kind::array:
        write_items('[', value.as_array(), ']', [&](const ConfigValue& item) { write(item); });
        break;
      case ConfigValue::Kind::object:
        write_items('{', value.as_object(), '}', [&](const ConfigValue::Member& member) {
          write_string(out_, member.key);
          out_ += style_ == JsonStyle::pretty ? ": " : ":";
          write(member.value);
        });
        break;
    }
  }

 private:
  template <class Items, class WriteOne>
  void write_items(char open, const Items& items, char close, WriteOne write_one) {
    out_ += open;
    ++depth_;
    bool first = true;
    for (const auto& item : items) {
      if (!first) out_ += ',';
      first = false;
      new_line();
      write_one(item);
    }
    --depth_;
    if (!items.empty()) new_line();
    out_ += close;
  }

  void new_line() {
    if (style_ == JsonStyle::compact) return;
    out_ += '\n';
    out_.append(2 * depth_, ' ');
  }

  std::string& out_;
  JsonStyle style_;
  std::size_t depth_ = 0;
};

}  // namespace

std::string write_json(const ConfigValue& value, JsonStyle style) {
  std::string out;
  Writer(out, style).write(value);
  if (style == JsonStyle::pretty) out += '\n';
  return out;
}

}  // namespace grapnel
