// One table of parameters per callback, option group and plugin.
//
// The table is the only place of a parameter's name, type, default, range and meaning: it
// validates run.json, prints the help, generates the JSON schema, and is what a plugin's manifest
// declares. A callback never looks at JSON itself; it gets Parameters, whose values are checked.
//
//   const ParameterTable& early_stopping_parameters() {
//     using namespace grapnel::parameter;
//     static const ParameterTable table(
//         "early_stopping", "Stops when a monitored metric no longer improves.",
//         {string("monitor").doc("Name of the metric to watch."),
//          integer("patience", 3).at_least(0).unit("checks").doc("Checks without improvement."),
//          string("mode", "min").one_of({"min", "max"}).doc("Which direction is better."),
//          number("stopping_threshold").nullable().doc("Stops as soon as it is reached.")});
//     return table;
//   }
//   Parameters p = early_stopping_parameters().validate(json, "callbacks.early_stopping");
//   p.get<std::int64_t>("patience");
//   p.get<std::optional<double>>("stopping_threshold");
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <grapnel/base/error.h>
#include <grapnel/base/export.h>
#include <grapnel/base/json.h>

namespace grapnel {

class ParameterTable;

// Each with its name in manifests and help.
enum class ParameterType : std::uint8_t {
  boolean,       // "boolean"
  integer,       // "integer"          int64
  number,        // "number"           double; integers too, and "inf", "-inf"; never NaN
  string,        // "string"
  duration,      // "duration"         "DD:HH:MM:SS" or seconds; kept as seconds (double)
  boolean_list,  // "list of boolean"
  integer_list,  // "list of integer"
  number_list,   // "list of number"
  string_list,   // "list of string"
  number_map,    // "map of number"    {"4": 0.5, "8": 0.1}: integer -> number
  object,        // "object"           its own table of parameters
  any,           // "any"              JSON that the owner checks
};

[[nodiscard]] GRAPNEL_BASE_API std::string_view to_string(ParameterType type) noexcept;

// One row of the table. Made by the functions in namespace `parameter`, refined by the setters.
struct GRAPNEL_BASE_API ParameterSpec {
  std::string name;
  // Accepted types. With both integer and number, an integer stays one: 1 is a count, 1.0 a share.
  std::vector<ParameterType> types;
  std::optional<ConfigValue> default_value;  // none: the parameter is required
  bool is_nullable = false;                  // null is accepted
  // Range of numbers, of each element of a list, of a duration's seconds, of a map's values.
  std::optional<double> minimum, maximum;
  bool minimum_excluded = false, maximum_excluded = false;
  std::vector<std::string> choices;  // of strings and elements of string lists; empty: any
  std::optional<std::size_t> minimum_items, maximum_items;  // of lists and maps
  std::string meaning;                                      // one sentence
  std::string unit_name;                                    // "optimizer steps", "seconds"
  bool is_identifying = false;                              // part of a callback's state key
  std::shared_ptr<const ParameterTable> fields;             // of type object

  ParameterSpec& doc(std::string sentence);
  ParameterSpec& unit(std::string name_of_unit);
  ParameterSpec& nullable();  // and null is the default, unless there is one
  ParameterSpec& at_least(double value);
  ParameterSpec& above(double value);
  ParameterSpec& at_most(double value);
  ParameterSpec& below(double value);
  ParameterSpec& one_of(std::vector<std::string> accepted);
  ParameterSpec& items(std::size_t at_least_count, std::size_t at_most_count);
  ParameterSpec& identifying();

  [[nodiscard]] bool is_required() const noexcept { return !default_value.has_value(); }
  // "integer or null", "list of number"
  [[nodiscard]] std::string type_text() const;
  // "at least 0 and below 1", "one of 'min' or 'max'"; empty when everything is accepted
  [[nodiscard]] std::string range_text() const;
};

// Rows of a table. Without a default the parameter is required (or null, after nullable()).
namespace parameter {
GRAPNEL_BASE_API ParameterSpec boolean(std::string name);
GRAPNEL_BASE_API ParameterSpec boolean(std::string name, bool fallback);
GRAPNEL_BASE_API ParameterSpec integer(std::string name);
GRAPNEL_BASE_API ParameterSpec integer(std::string name, std::int64_t fallback);
GRAPNEL_BASE_API ParameterSpec number(std::string name);
GRAPNEL_BASE_API ParameterSpec number(std::string name, double fallback);
GRAPNEL_BASE_API ParameterSpec string(std::string name);
GRAPNEL_BASE_API ParameterSpec string(std::string name, std::string fallback);
GRAPNEL_BASE_API ParameterSpec duration(std::string name);
GRAPNEL_BASE_API ParameterSpec duration(std::string name, std::string fallback);
GRAPNEL_BASE_API ParameterSpec boolean_list(std::string name);
GRAPNEL_BASE_API ParameterSpec boolean_list(std::string name, std::vector<bool> fallback);
GRAPNEL_BASE_API ParameterSpec integer_list(std::string name);
GRAPNEL_BASE_API ParameterSpec integer_list(std::string name, std::vector<std::int64_t> fallback);
GRAPNEL_BASE_API ParameterSpec number_list(std::string name);
GRAPNEL_BASE_API ParameterSpec number_list(std::string name, std::vector<double> fallback);
GRAPNEL_BASE_API ParameterSpec string_list(std::string name);
GRAPNEL_BASE_API ParameterSpec string_list(std::string name, std::vector<std::string> fallback);
GRAPNEL_BASE_API ParameterSpec number_map(std::string name);
GRAPNEL_BASE_API ParameterSpec number_map(std::string name,
                                          std::map<std::int64_t, double> fallback);
// A nested group; where it is absent, its parameters have their defaults.
GRAPNEL_BASE_API ParameterSpec object(std::string name, ParameterTable fields);
GRAPNEL_BASE_API ParameterSpec any(std::string name);
GRAPNEL_BASE_API ParameterSpec any(std::string name, ConfigValue fallback);
// Several types, for options like `limit_val_batches` (integer or number) or `swa_lrs`.
GRAPNEL_BASE_API ParameterSpec either(std::vector<ParameterType> types, std::string name);
GRAPNEL_BASE_API ParameterSpec either(std::vector<ParameterType> types, std::string name,
                                      ConfigValue fallback);
}  // namespace parameter

// Checked values, one for every row of the table. Reading one that the table lacks, or as another
// type than the table says, is a mistake in code: std::logic_error.
class GRAPNEL_BASE_API Parameters {
 public:
  Parameters() = default;

  // T: bool, std::int64_t, double, std::string, std::vector of those, std::map<std::int64_t,
  // double>, Parameters (type object), ConfigValue (whatever it is), or std::optional of any of
  // them (nullopt for null). A duration is a double of seconds. A double may be read from an
  // integer, a vector from a single element.
  template <class T>
  [[nodiscard]] T get(std::string_view name) const {
    if constexpr (is_optional<T>::value) {
      if (raw(name).is_null()) return std::nullopt;
      return get<typename T::value_type>(name);
    } else {
      T out{};
      read(name, out);
      return out;
    }
  }

  // Which of a spec's types a value has, for parameters that accept several.
  [[nodiscard]] bool is_null(std::string_view name) const { return raw(name).is_null(); }
  [[nodiscard]] ConfigValue::Kind kind(std::string_view name) const { return raw(name).kind(); }
  // True when the configuration gave it, even if it equals the default.
  [[nodiscard]] bool was_given(std::string_view name) const;
  [[nodiscard]] bool contains(std::string_view name) const noexcept;

  // For checks between parameters: a ConfigError at the parameter's value, or at the group when it
  // was not given, with "callbacks.early_stopping.patience" as key.
  [[nodiscard]] ConfigError error(std::string_view name, const std::string& message) const;

  // All values in the table's order, normalized (defaults filled in, durations in seconds): what a
  // log or a checkpoint records, and what validates again to the same Parameters.
  [[nodiscard]] const ConfigValue& values() const noexcept { return values_; }
  [[nodiscard]] const std::string& context() const noexcept { return context_; }

 private:
  friend class ParameterTable;
  template <class T>
  struct is_optional : std::false_type {};
  template <class T>
  struct is_optional<std::optional<T>> : std::true_type {};

  [[nodiscard]] const ConfigValue& raw(std::string_view name) const;
  void read(std::string_view name, bool& out) const;
  void read(std::string_view name, std::int64_t& out) const;
  void read(std::string_view name, double& out) const;
  void read(std::string_view name, std::string& out) const;
  void read(std::string_view name, std::vector<bool>& out) const;
  void read(std::string_view name, std::vector<std::int64_t>& out) const;
  void read(std::string_view name, std::vector<double>& out) const;
  void read(std::string_view name, std::vector<std::string>& out) const;
  void read(std::string_view name, std::map<std::int64_t, double>& out) const;
  void read(std::string_view name, Parameters& out) const;
  void read(std::string_view name, ConfigValue& out) const;

  ConfigValue values_ = ConfigValue::object();
  std::vector<std::string> given_;
  std::vector<std::string> group_names_;  // of groups_, in the same order
  std::vector<Parameters> groups_;
  std::string context_;
  SourcePosition position_;  // of the whole object
};

class GRAPNEL_BASE_API ParameterTable {
 public:
  ParameterTable() = default;
  // `name` is what help and schema call the group. Throws std::logic_error when the table
  // contradicts itself: a name twice, a default outside its own range, no meaning.
  ParameterTable(std::string name, std::string summary, std::vector<ParameterSpec> specs);

  // Checks an object (null counts as {}) and fills in defaults. `context` is the dotted path for
  // error texts and keys: "callbacks.early_stopping". ConfigError, positioned: an unknown key names
  // the nearest known one and lists all; a wrong type says what was found and what is accepted; a
  // value out of range says the range; a missing one says that it is required.
  [[nodiscard]] Parameters validate(const ConfigValue& value, std::string_view context) const;
  // All defaults; ConfigError when a parameter is required.
  [[nodiscard]] Parameters defaults(std::string_view context) const;

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const std::string& summary() const noexcept { return summary_; }
  [[nodiscard]] const std::vector<ParameterSpec>& specs() const noexcept { return specs_; }
  [[nodiscard]] const ParameterSpec* find(std::string_view name) const noexcept;
  [[nodiscard]] std::vector<std::string> names() const;

  // Lines for a terminal: each parameter with type, default, range, unit, and its meaning below.
  [[nodiscard]] std::string to_help(std::size_t indent = 2, std::size_t width = 100) const;
  // JSON Schema (draft 2020-12) of the object.
  [[nodiscard]] ConfigValue to_schema() const;

  // The "parameters" object of a plugin's manifest, and back:
  //   {"patience": {"type": "integer", "default": 1, "minimum": 1, "unit": "batches",
  //                 "doc": "Consecutive batches without a finite loss before the run stops."}}
  // Keys: type (a name of ParameterType, or an array of them), doc, default, nullable, minimum,
  // maximum, exclusive_minimum, exclusive_maximum, choices, minimum_items, maximum_items, unit,
  // identifying, parameters (of type object). No default and not nullable: required.
  [[nodiscard]] ConfigValue to_manifest() const;
  // ConfigError, positioned, for what contradicts itself. Unknown keys are ignored; a sentence
  // about each is appended to `warnings` when that is given.
  [[nodiscard]] static ParameterTable from_manifest(const ConfigValue& value, std::string name,
                                                    std::string summary = {},
                                                    std::vector<std::string>* warnings = nullptr);

 private:
  std::string name_;
  std::string summary_;
  std::vector<ParameterSpec> specs_;
};

}  // namespace grapnel
