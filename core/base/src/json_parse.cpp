// parse_json(): Boost.JSON's SAX parser checks the text and reports keys and values; a scanner that
// walks the same text in step with it knows where each of them starts.
#include <grapnel/base/files.h>
#include <grapnel/base/json.h>
#include <grapnel/base/text.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include <boost/json/basic_parser_impl.hpp>

#include "json_slip.h"

namespace grapnel {
namespace {

using boost::json::error_code;
using boost::json::string_view;

struct Place {
  std::size_t offset = 0;
  int line = 1;
  int column = 1;
};

// Finds the start of the next token. The parser has already accepted the text up to the token's
// end, so that strings are closed and brackets match; the bounds are checked all the same.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  Place next_token() {
    while (at_.offset < text_.size() && separates(text_[at_.offset])) advance();
    const Place start = at_;
    skip_token();
    return start;
  }

  // The position of any offset; the scan restarts when it is before the end of the last token.
  Place place_of(std::size_t offset) {
    if (offset < at_.offset) at_ = Place();
    while (at_.offset < std::min(offset, text_.size())) advance();
    return at_;
  }

  std::string_view token(const Place& start) const {
    return text_.substr(start.offset, at_.offset - start.offset);
  }

 private:
  static bool separates(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' || c == ':' || c == ']' ||
           c == '}';
  }

  void advance() {
    const auto c = static_cast<unsigned char>(text_[at_.offset++]);
    if (c == '\n') {
      ++at_.line;
      at_.column = 1;
    } else if (at_.offset >= text_.size() || !is_continuation(text_[at_.offset])) {
      ++at_.column;  // counted at the last byte of a code point
    }
  }
  static bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

  void skip_token() {
    if (at_.offset >= text_.size()) return;
    const char first = text_[at_.offset];
    advance();
    if (first == '{' || first == '[') return;
    if (first != '"') {
      while (at_.offset < text_.size() && !separates(text_[at_.offset])) advance();
      return;
    }
    while (at_.offset < text_.size()) {
      const char c = text_[at_.offset];
      advance();
      if (c == '"') return;
      if (c == '\\' && at_.offset < text_.size()) advance();
    }
  }

  std::string_view text_;
  Place at_;
};

// Receives the parser's events and builds the tree.
class TreeBuilder {
 public:
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);

  TreeBuilder(std::string_view text, std::shared_ptr<const std::string> source,
              const JsonLimits& limits)
      : scanner_(text), source_(std::move(source)), limits_(limits) {}

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }

  bool on_object_begin(error_code&) { return open(ConfigValue::object()); }
  bool on_array_begin(error_code&) { return open(ConfigValue::array()); }
  bool on_object_end(std::size_t, error_code&) {
    check_duplicates(open_.back().value.as_object());
    return close();
  }
  bool on_array_end(std::size_t, error_code&) { return close(); }

  bool on_key_part(string_view part, std::size_t, error_code&) { return add_text(part); }
  bool on_key(string_view part, std::size_t, error_code&) {
    add_text(part);
    Frame& frame = open_.back();
    frame.key_place = next_token();
    frame.key = std::move(text_);
    text_.clear();
    return true;
  }
  bool on_string_part(string_view part, std::size_t, error_code&) { return add_text(part); }
  bool on_string(string_view part, std::size_t, error_code&) {
    add_text(part);
    const Place place = next_token();
    add(ConfigValue(std::move(text_)), place);
    text_.clear();
    return true;
  }

  // Numbers are read from their text: the parser's doubles are not always the nearest ones.
  bool on_number_part(string_view, error_code&) { return true; }
  bool on_int64(std::int64_t value, string_view, error_code&) { return add_scalar(value); }
  bool on_uint64(std::uint64_t, string_view, error_code&) {
    const Place place = next_token();
    throw error(place, std::string(scanner_.token(place)) +
                           " does not fit a signed 64-bit integer (at most 9223372036854775807)");
  }
  bool on_double(double roughly, string_view, error_code&) {
    const Place place = next_token();
    const std::string_view token = scanner_.token(place);
    double value = 0.0;
    const auto result = std::from_chars(token.data(), token.data() + token.size(), value);
    if (result.ec == std::errc::result_out_of_range) {
      if (std::abs(roughly) > 1.0) {
        throw error(place, printable(token, 60) + " is too large for a double (at most 1.8e308)");
      }
      value = token.front() == '-' ? -0.0 : 0.0;
    }
    return add(ConfigValue(value), place);
  }
  bool on_bool(bool value, error_code&) { return add_scalar(value); }
  bool on_null(error_code&) { return add_scalar(nullptr); }

  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

  ConfigValue take() { return std::move(root_); }

  ConfigError error(const Place& place, const std::string& message, std::string key = {}) const {
    return {SourcePosition{*source_, place.line, place.column}, message, std::move(key)};
  }
  ConfigError error_at(std::size_t offset, const std::string& message) {
    return error(scanner_.place_of(offset), message);
  }

 private:
  struct Frame {
    ConfigValue value;
    std::string key{};  // of the member whose value comes next
    Place key_place{};
  };

  Place next_token() {
    const Place place = scanner_.next_token();
    if (++count_ > limits_.max_values) {
      throw error(place, "the document has more than " + std::to_string(limits_.max_values) +
                             " keys and values, which is not accepted here");
    }
    return place;
  }

  bool add_text(string_view part) {
    text_.append(part.data(), part.size());
    return true;
  }

  template <class T>
  bool add_scalar(T value) {
    const Place place = next_token();
    return add(ConfigValue(value), place);
  }

  bool open(ConfigValue value) {
    const Place place = next_token();
    value.set_position(source_, place.line, place.column);
    open_.push_back({std::move(value)});
    return true;
  }

  bool close() {
    ConfigValue value = std::move(open_.back().value);
    open_.pop_back();
    return attach(std::move(value));
  }

  bool add(ConfigValue value, const Place& place) {
    value.set_position(source_, place.line, place.column);
    return attach(std::move(value));
  }

  bool attach(ConfigValue value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (Frame& frame = open_.back(); frame.value.is_array()) {
      frame.value.append(std::move(value));
    } else {
      frame.value.as_object().push_back(
          {std::move(frame.key), std::move(value), frame.key_place.line, frame.key_place.column});
    }
    return true;
  }

  // Once per object and by sorting, so that an object of a million keys does not take quadratic
  // time.
  void check_duplicates(ConfigValue::Object& members) {
    std::vector<std::size_t> order(members.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return members[a].key < members[b].key; });
    std::vector<bool> replaced(members.size(), false);
    bool any = false;
    for (std::size_t i = 1; i < order.size(); ++i) {
      const ConfigValue::Member& earlier = members[order[i - 1]];
      const ConfigValue::Member& later = members[order[i]];
      if (earlier.key != later.key) continue;
      if (limits_.duplicate_keys == DuplicateKeys::refuse) {
        throw ConfigError(later.key_position(),
                          "the key " + quote(later.key) +
                              " appears twice in this object, first on line " +
                              std::to_string(earlier.line) + "; remove one of them",
                          later.key);
      }
      replaced[order[i - 1]] = any = true;
    }
    if (!any) return;
    ConfigValue::Object kept;
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (!replaced[i]) kept.push_back(std::move(members[i]));
    }
    members = std::move(kept);
  }

  Scanner scanner_;
  std::shared_ptr<const std::string> source_;
  const JsonLimits& limits_;
  std::size_t count_ = 0;
  std::string text_;  // of the string or key that is being read
  std::vector<Frame> open_;
  ConfigValue root_;
};

}  // namespace

ConfigValue parse_json(std::string_view text, std::string_view source, const JsonLimits& limits) {
  const auto name = std::make_shared<const std::string>(source);
  if (text.size() > limits.max_bytes) {
    throw ConfigError({*name, 0, 0}, "the text has " + human_bytes(text.size()) + ", at most " +
                                         human_bytes(limits.max_bytes) + " are accepted here");
  }
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);

  boost::json::parse_options options;
  options.max_depth = std::min<std::size_t>(limits.max_depth, 512);  // the parser recurses
  boost::json::basic_parser<TreeBuilder> parser(options, text, name, limits);
  error_code failure;
  std::size_t consumed = parser.write_some(false, text.data(), text.size(), failure);
  TreeBuilder& builder = parser.handler();
  if (!failure && consumed < text.size()) failure = boost::json::error::extra_data;
  if (!failure) return builder.take();

  if (failure == boost::json::error::too_deep) {
    throw builder.error_at(consumed, "arrays and objects are nested deeper than " +
                                         std::to_string(options.max_depth) +
                                         ", which is not accepted here");
  }
  if (failure == boost::json::error::incomplete) consumed = text.size();
  const detail::JsonSlip slip = detail::explain_json_slip(text, consumed, failure.message());
  throw builder.error_at(slip.offset, slip.message);
}

ConfigValue read_json_file(const std::filesystem::path& path, const JsonLimits& limits) {
  return parse_json(read_file(path, limits.max_bytes), display_path(path), limits);
}

}  // namespace grapnel
