#include "grapnel/progress.h"

#include <charconv>
#include <system_error>

#include "text/python_format.h"

namespace grapnel {

namespace {

constexpr size_t kPadding = 5;

// The shorter of a number's three significant digits and all of them, without superfluous zeros in
// the exponent.
std::string shorter(std::string all, double number) {
  std::string digits = python_format(number, ".3g");
  if (const size_t e = digits.find('e'); e != std::string::npos && digits[e + 2] == '0') {
    digits.erase(e + 2, 1);
  }
  return digits.size() < all.size() ? digits : all;
}

// A number, or a text that reads as one, padded as Lightning's bar does it, so that what follows
// doesn't jump when the number gets shorter: "nan" becomes "nan.0" there too.
std::string padded(std::string text) {
  double number = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  if (!is_number || text.find('e') != std::string::npos) return text;
  if (text.find('.') == std::string::npos && text.size() < kPadding) text += '.';
  if (text.size() < kPadding) text.append(kPadding - text.size(), '0');
  return text;
}

}  // namespace

std::string format_postfix_value(const PostfixValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    return shorter(std::to_string(*integer), static_cast<double>(*integer));
  }
  if (const auto* text = std::get_if<std::string>(&value)) return padded(*text);
  const double number = std::get<double>(value);
  return padded(shorter(python_repr(number), number));
}

Bar::~Bar() = default;
TextArea::~TextArea() = default;
ProgressSink::~ProgressSink() = default;

std::unique_ptr<TextArea> ProgressSink::make_text_area() {
  return nullptr;
}

}  // namespace grapnel
