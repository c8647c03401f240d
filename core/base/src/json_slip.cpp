#include "json_slip.h"

#include <grapnel/base/text.h>

#include <algorithm>
#include <array>
#include <utility>

#include "decode_utf8.h"

namespace grapnel::detail {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '+' || c == '-';
}

// The last character before `offset` that is not white space; '\0' at the start.
char before(std::string_view text, std::size_t offset) {
  while (offset > 0 && is_space(text[offset - 1])) --offset;
  return offset > 0 ? text[offset - 1] : '\0';
}

std::string about_word(std::string_view word) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 12> meant = {{
      {"NaN", "\"nan\""},
      {"nan", "\"nan\""},
      {"Infinity", "\"inf\""},
      {"-Infinity", "\"-inf\""},
      {"inf", "\"inf\""},
      {"-inf", "\"-inf\""},
      {"True", "true"},
      {"TRUE", "true"},
      {"False", "false"},
      {"FALSE", "false"},
      {"None", "null"},
      {"NULL", "null"},
  }};
  for (const auto& [found, instead] : meant) {
    if (word == found) {
      return std::string(word) + " is not JSON; write " + std::string(instead) + " instead";
    }
  }
  return quote(word) +
         " is neither a number nor true, false or null; keys and strings need double quotes";
}

}  // namespace

JsonSlip explain_json_slip(std::string_view text, std::size_t offset,
                           std::string_view parser_says) {
  offset = std::min(offset, text.size());
  if (parser_says == "extra data") {
    while (offset < text.size() && is_space(text[offset])) ++offset;
  }
  if (offset == text.size()) {
    if (std::all_of(text.begin(), text.end(), is_space)) {
      return {offset, "the text is empty; a JSON document is expected"};
    }
    return {offset, "the text ends in the middle of a value; a closing \", ] or } is missing"};
  }

  const auto c = static_cast<unsigned char>(text[offset]);
  const char previous = before(text, offset);
  if (c < 0x20) {
    return {offset,
            "there is a control character in a string; write \\n for "
            "a line break, \\t for a tab, \\u00XX for others"};
  }
  if (decode_utf8(text, offset).bytes == 0) return {offset, "these bytes are not UTF-8"};
  if ((c == '}' || c == ']') && previous == ',') {
    return {offset,
            std::string("there is a comma before this '") + static_cast<char>(c) + "'; remove it"};
  }
  if (c == '/' || c == '#') return {offset, "comments are not accepted in JSON; remove this one"};
  if (c == '\'') return {offset, "strings need double quotes, not single quotes"};

  if (parser_says == "extra data") {
    return {offset, "the document ended before this; only one value is expected"};
  }
  if (parser_says == "syntax error") {
    // The parser may have stopped inside a word ("nan" starts like "null"), or just after it.
    std::size_t word = offset;
    while (word > 0 && is_word(text[word - 1])) --word;
    const bool starts_value =
        c == '"' || c == '{' || c == '[' || (is_word(static_cast<char>(c)) && word == offset);
    const bool after_value =
        previous == '"' || previous == '}' || previous == ']' || is_word(previous);
    if (starts_value && after_value) {
      return {offset, "a comma (or, after a key, a colon) is missing before this"};
    }
    if (word < offset || is_word(static_cast<char>(c))) {
      std::size_t end = offset;
      while (end < text.size() && is_word(text[end])) ++end;
      return {word, about_word(text.substr(word, end - word))};
    }
    return {offset, "unexpected " + quote(text.substr(offset, decode_utf8(text, offset).bytes))};
  }
  return {offset, std::string(parser_says)};
}

}  // namespace grapnel::detail
