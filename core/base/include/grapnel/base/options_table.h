// The options of a class, each written twice only: as a member of a struct, which has its type and
// its default, and as a row of a table, which has its range and its meaning.
//
//   struct SpikeDetectionOptions {
//     int64_t window = 10;
//     std::optional<double> atol = {};
//   };
//
//   const OptionsTable<SpikeDetectionOptions>& SpikeDetection::options_table() {
//     using O = SpikeDetectionOptions;
//     static const OptionsTable<O> table(
//         "spike_detection", "Ends the training when the loss jumps.",
//         {option("window", &O::window).at_least(1).unit("batches").doc("Losses in the mean."),
//          option("atol", &O::atol).at_least(0).finite().doc("Smallest difference from the mean.")});
//     return table;
//   }
//
// Both ways to set an option get the same validation:
//   run.json:  O options = table.read(table.parameters().validate(json, "callbacks.spike"));
//   C++:       the constructor calls table.check(options, "SpikeDetection").
// parameters() is the ParameterTable behind help, JSON schema and reference.
//
// Rules:
// - The default is the member's in O{}. Only required() takes it away.
// - A row's type follows from the member's:
//     bool, integers, double, std::string, path             boolean, integer, number, string
//     char                                                  string of one character
//     an enum                                               string, one of its enum_names; a value
//                                                           without one is null, see null_when_empty
//     std::vector of int64_t, double, std::string           list
//     std::map<int64_t, double>                             map of number
//     std::variant<int64_t, double>                         integer or number
//     ConfigValue                                           any
//     std::optional of one of these                         the same, or null
//   For any other type specialize OptionType; for one row that reads a member differently, name a
//   type of that form: option<Seconds>("duration", &O::duration).
// - A struct in the struct is an object of its own with group(), or has its rows between the others
//   with embed().
// - Rules between several options stay in the constructor.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <grapnel/base/enum_names.h>
#include <grapnel/base/export.h>
#include <grapnel/base/json.h>
#include <grapnel/base/parameters.h>

namespace grapnel {

// How a member of type T is described, read from and written as a value of run.json:
//   static void describe(ParameterSpec& spec);        sets types, and what else follows from T
//   static T read(const ConfigValue& value);          of a described type; may throw ConfigError
//   static ConfigValue write(const T& value);         or std::optional: nullopt for what JSON has no
//                                                     value for (a function), which is not checked
//   static void check(const T& value);                optional: a rule beyond the row's range;
//                                                     throws ConfigError: "must be even, found 3"
template <class T>
struct OptionType;

template <>
struct GRAPNEL_BASE_API OptionType<bool> {
  static void describe(ParameterSpec& spec);
  static bool read(const ConfigValue& value);
  static ConfigValue write(bool value);
};

template <std::integral T>
struct OptionType<T> {
  static void describe(ParameterSpec& spec) { spec.types = {ParameterType::integer}; }
  static T read(const ConfigValue& value) { return static_cast<T>(value.as_int()); }
  static ConfigValue write(T value) {  // one past int64 counts as the largest
    return std::in_range<std::int64_t>(value) ? static_cast<std::int64_t>(value)
                                              : std::numeric_limits<std::int64_t>::max();
  }
};

template <>
struct GRAPNEL_BASE_API OptionType<double> {
  static void describe(ParameterSpec& spec);
  static double read(const ConfigValue& value);
  static ConfigValue write(double value);
};

template <>
struct GRAPNEL_BASE_API OptionType<std::string> {
  static void describe(ParameterSpec& spec);
  static std::string read(const ConfigValue& value);
  static ConfigValue write(const std::string& value);
};

template <>
struct GRAPNEL_BASE_API OptionType<std::filesystem::path> {
  static void describe(ParameterSpec& spec);
  static std::filesystem::path read(const ConfigValue& value);
  static ConfigValue write(const std::filesystem::path& value);
};

template <>
struct GRAPNEL_BASE_API OptionType<char> {
  static void describe(ParameterSpec& spec);
  static char read(const ConfigValue& value);
  static ConfigValue write(char value);
};

template <>
struct GRAPNEL_BASE_API OptionType<ConfigValue> {
  static void describe(ParameterSpec& spec);
  static ConfigValue read(const ConfigValue& value);
  static ConfigValue write(const ConfigValue& value);
};

template <>
struct GRAPNEL_BASE_API OptionType<std::variant<std::int64_t, double>> {
  static void describe(ParameterSpec& spec);
  static std::variant<std::int64_t, double> read(const ConfigValue& value);
  static ConfigValue write(const std::variant<std::int64_t, double>& value);
};

template <>
struct GRAPNEL_BASE_API OptionType<std::vector<std::int64_t>> {
  static void describe(ParameterSpec& spec);
  static std::vector<std::int64_t> read(const ConfigValue& value);
  static ConfigValue write(const std::vector<std::int64_t>& value);
};

template <>
struct GRAPNEL_BASE_API OptionType<std::vector<double>> {
  static void describe(ParameterSpec& spec);
  static std::vector<double> read(const ConfigValue& value);
  static ConfigValue write(const std::vector<double>& value);
};

template <>
struct GRAPNEL_BASE_API OptionType<std::vector<std::string>> {
  static void describe(ParameterSpec& spec);
  static std::vector<std::string> read(const ConfigValue& value);
  static ConfigValue write(const std::vector<std::string>& value);
};

template <>
struct GRAPNEL_BASE_API OptionType<std::map<std::int64_t, double>> {
  static void describe(ParameterSpec& spec);
  static std::map<std::int64_t, double> read(const ConfigValue& value);
  static ConfigValue write(const std::map<std::int64_t, double>& value);
};

template <class E>
requires std::is_enum_v<E>
struct OptionType<E> {
  static_assert(enum_names<E>.size() > 0, "specialize enum_names for this enum");
  static void describe(ParameterSpec& spec) {
    spec.types = {ParameterType::string};
    for (const EnumName<E>& name : enum_names<E>) spec.choices.emplace_back(name.text);
  }
  static E read(const ConfigValue& value) {
    for (const EnumName<E>& name : enum_names<E>) {
      if (name.text == value.as_string()) return name.value;
    }
    return E{};  // the value without a text
  }
  static ConfigValue write(E value) {
    for (const EnumName<E>& name : enum_names<E>) {
      if (name.value == value) return name.text;
    }
    return {};
  }
};

namespace detail {

template <class Type, class T>
void check_option(const T& value) {
  if constexpr (requires { Type::check(value); }) Type::check(value);
}

}  // namespace detail

// Null for nullopt, else as Type.
template <class Type>
struct NullableOptionType {
  using T = decltype(Type::read(ConfigValue()));
  static void describe(ParameterSpec& spec) {
    Type::describe(spec);
    spec.is_nullable = true;
  }
  static std::optional<T> read(const ConfigValue& value) {
    return value.is_null() ? std::nullopt : std::optional<T>(Type::read(value));
  }
  static std::optional<ConfigValue> write(const std::optional<T>& value) {
    return value ? std::optional<ConfigValue>(Type::write(*value)) : ConfigValue();
  }
  static void check(const std::optional<T>& value) {
    if (value) detail::check_option<Type>(*value);
  }
};

template <class T>
struct OptionType<std::optional<T>> : NullableOptionType<OptionType<T>> {};

// Of a double: a duration, "DD:HH:MM:SS" or seconds.
struct GRAPNEL_BASE_API Seconds : OptionType<double> {
  static void describe(ParameterSpec& spec);
};

// Of a std::vector<double>: one number, or a list.
struct GRAPNEL_BASE_API OneOrMore : OptionType<std::vector<double>> {
  static void describe(ParameterSpec& spec);
  static std::vector<double> read(const ConfigValue& value);
  static ConfigValue write(const std::vector<double>& value);  // of one element: a number
};

namespace detail {

class OptionRows;

// An OptionType without its type.
struct OptionAccess {
  void (*read)(const ConfigValue& value, void* member);
  std::optional<ConfigValue> (*write)(const void* member);
  void (*check)(const void* member);
};

template <class Type, class T>
inline constexpr OptionAccess option_access = {
    [](const ConfigValue& value, void* member) { *static_cast<T*>(member) = Type::read(value); },
    [](const void* member) -> std::optional<ConfigValue> {
      return Type::write(*static_cast<const T*>(member));
    },
    [](const void* member) { check_option<Type>(*static_cast<const T*>(member)); }};

// A member of an options struct, without the struct's type. It is found by its distance from the
// struct's start, so that rows of a struct within a struct need no code of their own.
struct GRAPNEL_BASE_API OptionRow {
  ParameterSpec spec;
  std::size_t offset = 0;
  const OptionAccess* access = nullptr;     // nullptr: a group
  std::shared_ptr<const OptionRows> group;  // of an object
  std::optional<ConfigValue> unset_value;
  bool is_finite = false;
  bool is_filled = false;
  bool empty_is_null = false;

  void set_default(const void* member);
  void set_null_when_empty();
  void set_unset_value(ConfigValue value);
};

class GRAPNEL_BASE_API OptionRows {
 public:
  explicit OptionRows(std::vector<OptionRow> rows) : rows_(std::move(rows)) {}

  [[nodiscard]] std::vector<ParameterSpec> specs() const;
  void read(const Parameters& parameters, void* options) const;
  // Members without a JSON value are left out.
  [[nodiscard]] ConfigValue write(const void* options) const;
  // `path` is before every name in errors: "theme.".
  void check(const void* options, std::string_view owner, const std::string& path = {}) const;

 private:
  std::vector<OptionRow> rows_;
};

// `table`'s rows as one option of type object.
GRAPNEL_BASE_API OptionRow group_row(std::string name, std::size_t offset,
                                     const ParameterTable& table,
                                     std::shared_ptr<const OptionRows> rows);

// Rows of a struct that lies `offset` bytes within the one that starts at `defaults`.
GRAPNEL_BASE_API std::vector<OptionRow> moved_rows(std::vector<OptionRow> rows, std::size_t offset,
                                                   const void* defaults);

template <class O>
const O& default_options() {
  static const O defaults{};
  return defaults;
}

template <class O, class T>
std::size_t offset_of(T O::*member) {
  const O& options = default_options<O>();
  return static_cast<std::size_t>(reinterpret_cast<const char*>(&(options.*member)) -
                                  reinterpret_cast<const char*>(&options));
}

template <class T, class Type>
struct chosen_type : std::type_identity<Type> {};
template <class T>
struct chosen_type<T, void> : std::type_identity<OptionType<T>> {};
template <class T, class Type>
requires std::same_as<decltype(Type::read(ConfigValue())), T>
struct chosen_type<std::optional<T>, Type> : std::type_identity<NullableOptionType<Type>> {
};

}  // namespace detail

// A row of the table of O, made by option(), group() or embed() and refined by the setters.
template <class O>
class Option {
 public:
  explicit Option(std::vector<detail::OptionRow> rows) : rows_(std::move(rows)) {}

  Option& doc(std::string sentence) { return spec().doc(std::move(sentence)), *this; }
  Option& unit(std::string name) { return spec().unit(std::move(name)), *this; }
  // Range: of a number, of each element of a list, of a map's values, of a duration's seconds.
  Option& at_least(double value) { return spec().at_least(value), *this; }
  Option& above(double value) { return spec().above(value), *this; }
  Option& at_most(double value) { return spec().at_most(value), *this; }
  Option& below(double value) { return spec().below(value), *this; }
  // No infinite number.
  Option& finite() { return rows_.front().is_finite = true, *this; }
  // No empty string or path.
  Option& filled() { return rows_.front().is_filled = true, *this; }
  Option& one_of(std::vector<std::string> accepted) {
    return spec().one_of(std::move(accepted)), *this;
  }
  // Number of elements of a list.
  Option& items(std::size_t least, std::size_t most) { return spec().items(least, most), *this; }
  // Part of a callback's state key.
  Option& identifying() { return spec().identifying(), *this; }
  // run.json has to give it.
  Option& required() { return spec().default_value.reset(), *this; }
  // Null stands for the empty string or path, or for the enum's value that has no text.
  Option& null_when_empty() { return rows_.front().set_null_when_empty(), *this; }
  // Of a std::optional: what an unset one amounts to. The help shows it as the default, and null is
  // not accepted; the member stays unset where run.json doesn't give the option.
  Option& unset_is(ConfigValue value) {
    return rows_.front().set_unset_value(std::move(value)), *this;
  }

  [[nodiscard]] const std::vector<detail::OptionRow>& rows() const noexcept { return rows_; }

 private:
  ParameterSpec& spec() { return rows_.front().spec; }

  std::vector<detail::OptionRow> rows_;
};

namespace detail {

template <class O>
std::vector<OptionRow> joined_rows(const std::vector<Option<O>>& options) {
  std::vector<OptionRow> rows;
  for (const Option<O>& option : options) {
    rows.insert(rows.end(), option.rows().begin(), option.rows().end());
  }
  return rows;
}

}  // namespace detail

template <class O>
class OptionsTable {
 public:
  // `name` is the class in run.json, `summary` one sentence. Throws std::logic_error when the table
  // contradicts itself: a name twice, a default outside of its range, no doc().
  OptionsTable(std::string name, std::string summary, const std::vector<Option<O>>& options)
      : rows_(std::make_shared<const detail::OptionRows>(detail::joined_rows(options))),
        parameters_(std::move(name), std::move(summary), rows_->specs()) {}

  [[nodiscard]] const ParameterTable& parameters() const noexcept { return parameters_; }

  // The options that run.json gave, with O's defaults for the others. `parameters` were validated
  // by parameters(). Throws ConfigError, positioned, for a value that a rule beyond the range
  // refuses.
  [[nodiscard]] O read(const Parameters& parameters) const {
    O options{};
    rows_->read(parameters, &options);
    return options;
  }

  // The same from a section that was not validated yet; `context` is its path.
  [[nodiscard]] O read(const ConfigValue& section, std::string_view context) const {
    return read(parameters_.validate(section, context));
  }

  // Throws ConfigError, with the option's name as its key, for the first value that is not
  // accepted: "SpikeDetection: window must be at least 1, found the integer 0". `owner` is the
  // class.
  void check(const O& options, std::string_view owner) const { rows_->check(&options, owner); }
  // Where the table is named as the class is: "StepLR".
  void check(const O& options) const { rows_->check(&options, parameters_.name()); }

  // The options as run.json would have them; members without a JSON value are left out.
  [[nodiscard]] ConfigValue write(const O& options) const { return rows_->write(&options); }

  [[nodiscard]] const std::shared_ptr<const detail::OptionRows>& rows() const noexcept {
    return rows_;
  }

 private:
  std::shared_ptr<const detail::OptionRows> rows_;
  ParameterTable parameters_;
};

// One member. Type: how it is read, when not as OptionType of its type (or of what is in an
// optional).
template <class Type = void, class O, class T>
Option<O> option(std::string name, T O::*member) {
  using Chosen = typename detail::chosen_type<T, Type>::type;
  detail::OptionRow row;
  row.spec.name = std::move(name);
  row.offset = detail::offset_of(member);
  row.access = &detail::option_access<Chosen, T>;
  Chosen::describe(row.spec);
  row.set_default(&(detail::default_options<O>().*member));
  return Option<O>({std::move(row)});
}

// A struct as an object of its own: {"theme": {"bar": "red"}}.
template <class O, class T>
Option<O> group(std::string name, T O::*member, const OptionsTable<T>& table) {
  return Option<O>({detail::group_row(std::move(name), detail::offset_of(member),
                                      table.parameters(), table.rows())});
}

// The rows of a struct in the struct, between those of O.
template <class O, class T>
Option<O> embed(T O::*member, const std::vector<Option<T>>& options) {
  return Option<O>(detail::moved_rows(detail::joined_rows<T>(options), detail::offset_of(member),
                                      &detail::default_options<O>()));
}

}  // namespace grapnel
