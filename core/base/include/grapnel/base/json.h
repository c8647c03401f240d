// A JSON document that knows the line and column of every key and value.
//
// run.json, manifests, `--set` and the documents inside checkpoints are all ConfigValue trees. An
// error about one names its line and column. Objects keep the order of their keys. Nothing here
// depends on the locale, and no JSON library is visible in this header.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <grapnel/base/error.h>
#include <grapnel/base/export.h>

namespace grapnel {

class GRAPNEL_BASE_API ConfigValue {
 public:
  // integer: no fraction and no exponent in the text, fits int64. number: every other number.
  enum class Kind : std::uint8_t { null, boolean, integer, number, string, array, object };

  struct Member;
  using Array = std::vector<ConfigValue>;
  using Object = std::vector<Member>;

  ConfigValue() noexcept;  // null
  ConfigValue(std::nullptr_t) noexcept : ConfigValue() {}
  ConfigValue(std::string value);
  ConfigValue(std::string_view value) : ConfigValue(std::string(value)) {}
  ConfigValue(const char* value) : ConfigValue(std::string(value)) {}
  ConfigValue(Array items);
  // bool, integers, double. An unsigned value past int64 throws std::out_of_range.
  template <class T>
  requires std::is_arithmetic_v<T> ConfigValue(T value) : ConfigValue() {
    if constexpr (std::same_as<T, bool>) {
      set_bool(value);
    } else if constexpr (std::floating_point<T>) {
      set_double(static_cast<double>(value));
    } else {
      set_int(checked(value));
    }
  }
  template <class T>
  requires(std::constructible_from<ConfigValue, const T&> && !std::same_as<T, ConfigValue>)
      ConfigValue(const std::vector<T>& items)
      : ConfigValue(Array(items.begin(), items.end())) {}

  ConfigValue(const ConfigValue&);
  ConfigValue(ConfigValue&&) noexcept;
  ConfigValue& operator=(const ConfigValue&);
  ConfigValue& operator=(ConfigValue&&) noexcept;
  ~ConfigValue();

  [[nodiscard]] static ConfigValue array();   // []
  [[nodiscard]] static ConfigValue object();  // {}

  [[nodiscard]] Kind kind() const noexcept;
  [[nodiscard]] bool is_null() const noexcept { return kind() == Kind::null; }
  [[nodiscard]] bool is_bool() const noexcept { return kind() == Kind::boolean; }
  [[nodiscard]] bool is_integer() const noexcept { return kind() == Kind::integer; }
  [[nodiscard]] bool is_number() const noexcept {  // integers included
    return kind() == Kind::integer || kind() == Kind::number;
  }
  [[nodiscard]] bool is_string() const noexcept { return kind() == Kind::string; }
  [[nodiscard]] bool is_array() const noexcept { return kind() == Kind::array; }
  [[nodiscard]] bool is_object() const noexcept { return kind() == Kind::object; }

  // The value, or ConfigError at this value's position: "run.json:3:14: 'patience' must be an
  // integer, found the string 'five'". `name` is the key that the text names; it may be empty.
  [[nodiscard]] bool as_bool(std::string_view name = {}) const;
  [[nodiscard]] std::int64_t as_int(std::string_view name = {}) const;
  // Integers too; and the strings "nan", "inf", "-inf", as write_json() writes them.
  [[nodiscard]] double as_double(std::string_view name = {}) const;
  [[nodiscard]] const std::string& as_string(std::string_view name = {}) const;
  [[nodiscard]] const Array& as_array(std::string_view name = {}) const;
  [[nodiscard]] Array& as_array(std::string_view name = {});
  [[nodiscard]] const Object& as_object(std::string_view name = {}) const;
  [[nodiscard]] Object& as_object(std::string_view name = {});

  // Member of an object; nullptr when there is none, or when this is not an object.
  [[nodiscard]] const ConfigValue* find(std::string_view key) const noexcept;
  [[nodiscard]] ConfigValue* find(std::string_view key) noexcept;
  [[nodiscard]] bool contains(std::string_view key) const noexcept { return find(key) != nullptr; }
  // Member of an object; ConfigError naming the nearest key when it is missing.
  [[nodiscard]] const ConfigValue& at(std::string_view key) const;
  // Elements of an array or members of an object; 0 for everything else.
  [[nodiscard]] std::size_t size() const noexcept;

  // Replaces the member, keeping its position, or appends it. A null value becomes an object first;
  // ConfigError when this is anything else. Returns the member's value.
  ConfigValue& set(std::string_view key, ConfigValue value);
  // Appends to an array (a null value becomes one); ConfigError when this is anything else.
  ConfigValue& append(ConfigValue value);
  // True when there was such a member.
  bool erase(std::string_view key);

  // Where the value started in its source; line 0 for values made by code.
  [[nodiscard]] SourcePosition position() const;
  void set_position(std::shared_ptr<const std::string> source, int line, int column) noexcept;

  // "the string 'five'", "the integer 5", "the number 0.5", "true", "null", "an array of 3",
  // "an object": what an error says was found.
  [[nodiscard]] std::string describe() const;

  // A ConfigError at this value's position.
  [[nodiscard]] ConfigError error(const std::string& message, std::string key = {},
                                  std::string nearest = {}) const;

  // Same data; positions don't count. 1 and 1.0 differ, NaN equals NaN, keys' order counts.
  bool operator==(const ConfigValue& other) const noexcept;

 private:
  void set_bool(bool value) noexcept;
  void set_int(std::int64_t value) noexcept;
  void set_double(double value) noexcept;
  template <class T>
  static std::int64_t checked(T value) {
    if (!std::in_range<std::int64_t>(value)) throw_out_of_range();
    return static_cast<std::int64_t>(value);
  }
  [[noreturn]] static void throw_out_of_range();
  [[noreturn]] void throw_wrong_kind(std::string_view name, std::string_view accepted) const;

  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> data_;
  std::shared_ptr<const std::string> source_;
  int line_ = 0;
  int column_ = 0;
};

struct ConfigValue::Member {
  std::string key;
  ConfigValue value;
  int line = 0;  // of the key; 0 when unknown
  int column = 0;

  // The position of the key, in the value's source.
  [[nodiscard]] GRAPNEL_BASE_API SourcePosition key_position() const;
  bool operator==(const Member& other) const noexcept {
    return key == other.key && value == other.value;
  }
};

enum class DuplicateKeys : std::uint8_t { refuse, keep_last };

// Limits on untrusted text. parse_json() throws when one is exceeded.
struct JsonLimits {
  std::size_t max_bytes = std::size_t{16} << 20;
  std::size_t max_depth = 64;          // nested arrays and objects; at most 512
  std::size_t max_values = 4'000'000;  // keys and values together, about 100 bytes each
  DuplicateKeys duplicate_keys = DuplicateKeys::refuse;
};

// Parses one strict JSON document (RFC 8259; a UTF-8 byte order mark is skipped). `source` is the
// name in positions: "run.json". Throws ConfigError with line and column; for common mistakes
// (trailing comma, comment, single quotes, NaN, True) the text says what to write instead.
[[nodiscard]] GRAPNEL_BASE_API ConfigValue parse_json(std::string_view text,
                                                      std::string_view source,
                                                      const JsonLimits& limits = {});

// Reads and parses a file. IoError when it can't be read, ConfigError when it is not acceptable.
[[nodiscard]] GRAPNEL_BASE_API ConfigValue read_json_file(const std::filesystem::path& path,
                                                          const JsonLimits& limits = {});

enum class JsonStyle : std::uint8_t { compact, pretty };

// The document as UTF-8 JSON. Doubles are written with the fewest digits that read back to the same
// bits and always look like doubles ("1.0"); NaN and infinities as "nan", "inf", "-inf". Strings
// that are not UTF-8 have their bad bytes replaced by U+FFFD. Pretty: two spaces, final newline.
[[nodiscard]] GRAPNEL_BASE_API std::string write_json(const ConfigValue& value,
                                                      JsonStyle style = JsonStyle::compact);

// One `--set` of the command line: "trainer.max_epochs=5". The path's segments are separated by
// dots; a segment with dots needs double quotes (callbacks."my.ema".decay=0.9); one of digits
// indexes an existing array, its size appends. Objects on the way that don't exist are created. The
// value is JSON, or else a string; what starts with {, [ or " must be JSON. Positions of the new
// value name "--set trainer.max_epochs". Throws ConfigError.
GRAPNEL_BASE_API void set_by_path(ConfigValue& root, std::string_view assignment);

// The value at such a path; nullptr when there is none. Throws ConfigError when the path is bad.
[[nodiscard]] GRAPNEL_BASE_API const ConfigValue* find_by_path(const ConfigValue& root,
                                                               std::string_view path);
const ConfigValue* find_by_path(const ConfigValue&& root, std::string_view path) = delete;

}  // namespace grapnel
