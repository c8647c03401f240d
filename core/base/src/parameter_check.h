// How one value is checked against one row of a table; shared by the table, its manifest form and
// its help.
#pragma once

#include <grapnel/base/parameters.h>

#include <optional>
#include <string>
#include <string_view>

namespace grapnel::detail {

// The value as the row keeps it: numbers as doubles, durations in seconds, maps sorted by key.
// `key` is the dotted path for errors. For type object the checked group is stored in `group`.
// Throws ConfigError at the value, or at the element of it that is wrong.
ConfigValue check_parameter(const ParameterSpec& spec, const ConfigValue& value,
                            const std::string& key, std::optional<Parameters>& group);

// What is wrong with the row itself, apart from its default; nullopt when nothing is.
std::optional<std::string> mistake_in(const ParameterSpec& spec);

// The inverse of to_string(ParameterType).
std::optional<ParameterType> parameter_type_named(std::string_view name);
// All names of types, for errors.
std::vector<std::string> parameter_type_names();

// The type of a list's elements; nullopt when it is no list.
std::optional<ParameterType> element_type(ParameterType type);

bool accepts(const ParameterSpec& spec, ParameterType type);

// Fewest digits: "0.5", "3" for 3.0.
std::string number_text(double value);

// A bound as manifests and schemas show it: 3 rather than 3.0.
ConfigValue plain_number(double value);

// "amount must be at least 0", "mode: unknown mode 'x'": `text` about the option `name`.
std::string with_subject(std::string_view name, std::string_view text);

// "at least 0 and below 1"; empty without bounds.
std::string bounds_text(const ParameterSpec& spec);
// "2 to 4 items"; empty when any number is accepted.
std::string items_text(const ParameterSpec& spec);

}  // namespace grapnel::detail
