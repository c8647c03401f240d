#include <grapnel/base/options_table.h>
#include <grapnel/base/text.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "parameter_check.h"

namespace grapnel {
namespace {

template <class T, class Read>
std::vector<T> read_items(const ConfigValue& value, Read read) {
  std::vector<T> items;
  for (const ConfigValue& item : value.as_array()) items.push_back(read(item));
  return items;
}

}  // namespace

void OptionType<bool>::describe(ParameterSpec& spec) {
  spec.types = {ParameterType::boolean};
}
bool OptionType<bool>::read(const ConfigValue& value) {
  return value.as_bool();
}
ConfigValue OptionType<bool>::write(bool value) {
  return value;
}

void OptionType<double>::describe(ParameterSpec& spec) {
  spec.types = {ParameterType::number};
}
double OptionType<double>::read(const ConfigValue& value) {
  return value.as_double();
}
ConfigValue OptionType<double>::write(double value) {
  return value;
}

void OptionType<std::string>::describe(ParameterSpec& spec) {
  spec.types = {ParameterType::string};
}
std::string OptionType<std::string>::read(const ConfigValue& value) {
  return value.as_string();
}
ConfigValue OptionType<std::string>::write(const std::string& value) {
  return value;
}

void OptionType<std::filesystem::path>::describe(ParameterSpec& spec) {
  spec.types = {ParameterType::string};
}
std::filesystem::path OptionType<std::filesystem::path>::read(const ConfigValue& value) {
  return value.as_string();
}
ConfigValue OptionType<std::filesystem::path>::write(const std::filesystem::path& value) {
  return value.string();
}

void OptionType<char>::describe(ParameterSpec& spec) {
  spec.types = {ParameterType::string};
}
char OptionType<char>::read(const ConfigValue& value) {
  if (value.as_string().size() == 1) return value.as_string().front();
  throw value.error("must be one character, found " + value.describe());
}
ConfigValue OptionType<char>::write(char value) {
  return std::string(1, value);
}

void OptionType<ConfigValue>::describe(ParameterSpec& spec) {
  spec.types = {ParameterType::any};
}
ConfigValue OptionType<ConfigValue>::read(const ConfigValue& value) {
  return value;
}
ConfigValue OptionType<ConfigValue>::write(const ConfigValue& value) {
  return value;
}

using Count = std::int64_t;
using CountOrNumber = std::variant<std::int64_t, double>;

void OptionType<CountOrNumber>::describe(ParameterSpec& spec) {
  spec.types = {ParameterType::integer, ParameterType::number};
}
CountOrNumber OptionType<CountOrNumber>::read(const ConfigValue& value) {
  if (value.is_integer()) return value.as_int();
  return value.as_double();
}
ConfigValue OptionType<CountOrNumber>::write(const CountOrNumber& value) {
  return std::visit([](auto number) { return ConfigValue(number); }, value);
}

void OptionType<std::vector<Count>>::describe(ParameterSpec& spec) {
  spec.types = {ParameterType::integer_list};
}
std::vector<Count> OptionType<std::vector<Count>>::read(const ConfigValue& value) {
  return read_items<Count>(value, [](const ConfigValue& item) { return item.as_int(); });
}
ConfigValue OptionType<std::vector<Count>>::write(const std::vector<Count>& value) {
  return value;
}

void OptionType<std::vector<double>>::describe(ParameterSpec& spec) {
  spec.types = {ParameterType::number_list};
}
std::vector<double> OptionType<std::vector<double>>::read(const ConfigValue& value) {
  return read_items<double>(value, [](const ConfigValue& item) { return item.as_double(); });
}
ConfigValue OptionType<std::vector<double>>::write(const std::vector<double>& value) {
  return value;
}

void OptionType<std::vector<std::string>>::describe(ParameterSpec& spec) {
  spec.types = {ParameterType::string_list};
}
std::vector<std::string> OptionType<std::vector<std::string>>::read(const ConfigValue& value) {
  return read_items<std::string>(value, [](const ConfigValue& item) { return item.as_string(); });
}
ConfigValue OptionType<std::vector<std::string>>::write(const std::vector<std::string>& value) {
  return value;
}

using NumberMap = std::map<std::int64_t, double>;

void OptionType<NumberMap>::describe(ParameterSpec& spec) {
  spec.types = {ParameterType::number_map};
}
NumberMap OptionType<NumberMap>::read(const ConfigValue& value) {
  NumberMap map;
  for (const ConfigValue::Member& member : value.as_object()) {
    std::int64_t key = 0;
    std::from_chars(member.key.data(), member.key.data() + member.key.size(), key);
    map[key] = member.value.as_double();
  }
  return map;
}
ConfigValue OptionType<NumberMap>::write(const NumberMap& value) {
  ConfigValue map = ConfigValue::object();
  for (const auto& [key, number] : value) map.set(std::to_string(key), number);
  return map;
}

void Seconds::describe(ParameterSpec& spec) {
  spec.types = {ParameterType::duration};
}

void OneOrMore::describe(ParameterSpec& spec) {
  spec.types = {ParameterType::number, ParameterType::number_list};
}
std::vector<double> OneOrMore::read(const ConfigValue& value) {
  if (!value.is_array()) return {value.as_double()};
  return OptionType<std::vector<double>>::read(value);
}
ConfigValue OneOrMore::write(const std::vector<double>& value) {
  if (value.size() == 1) return value.front();
  return value;
}

namespace detail {
namespace {

const void* at_offset(const void* options, std::size_t offset) {
  return static_cast<const char*>(options) + offset;
}
void* at_offset(void* options, std::size_t offset) {
  return static_cast<char*>(options) + offset;
}

// As run.json would have it; nullopt: it can't be written.
std::optional<ConfigValue> write_row(const OptionRow& row, const void* member) {
  if (row.group) return row.group->write(member);
  std::optional<ConfigValue> value = row.access->write(member);
  if (value && value->is_null() && row.unset_value) return row.unset_value;
  if (value && row.empty_is_null && *value == ConfigValue("")) return ConfigValue();
  return value;
}

bool has_infinity(const ConfigValue& value) {
  if (value.is_array()) {
    return std::any_of(value.as_array().begin(), value.as_array().end(), has_infinity);
  }
  return value.is_number() && std::isinf(value.as_double());
}

// What is accepted, when the value breaks a rule of the row that its specification doesn't have.
std::string broken_rule(const OptionRow& row, const ConfigValue& value) {
  if (row.is_filled && (value.is_null() || value == ConfigValue(""))) return "not empty";
  if (!row.is_finite || !has_infinity(value)) return {};
  const std::string bounds = bounds_text(row.spec);
  return bounds.empty() ? "finite" : bounds + " and finite";
}

// `key` is the option in the error's text.
void check_rules(const OptionRow& row, const ConfigValue& value, const std::string& key) {
  const std::string accepted = broken_rule(row, value);
  if (accepted.empty()) return;
  throw value.error(key + " must be " + accepted + ", found " + value.describe(), key);
}

}  // namespace

void OptionRow::set_default(const void* member) {
  spec.default_value = write_row(*this, member);
}

void OptionRow::set_null_when_empty() {
  empty_is_null = true;
  spec.is_nullable = true;
  if (spec.default_value == ConfigValue("")) spec.default_value = ConfigValue();
}

void OptionRow::set_unset_value(ConfigValue value) {
  unset_value = value;
  spec.is_nullable = false;
  spec.default_value = std::move(value);
}

std::vector<ParameterSpec> OptionRows::specs() const {
  std::vector<ParameterSpec> specs;
  for (const OptionRow& row : rows_) specs.push_back(row.spec);
  return specs;
}

void OptionRows::read(const Parameters& parameters, void* options) const {
  const std::string path = parameters.context().empty() ? "" : parameters.context() + ".";
  for (const OptionRow& row : rows_) {
    const std::string& name = row.spec.name;
    void* member = at_offset(options, row.offset);
    if (row.group) {
      row.group->read(parameters.get<Parameters>(name), member);
      continue;
    }
    if (row.unset_value && !parameters.was_given(name)) continue;
    const auto value = parameters.get<ConfigValue>(name);
    check_rules(row, value, path + name);
    try {
      row.access->read(row.empty_is_null && value.is_null() ? ConfigValue("") : value, member);
      row.access->check(member);
    } catch (const ConfigError& error) {
      if (error.line > 0 || !error.file.empty()) throw;
      // A key names the member of an object that is at fault.
      const ConfigValue* inner = value.is_object() ? value.find(error.key) : nullptr;
      if (inner == nullptr) throw parameters.error(name, error.what());
      throw inner->error(with_subject(path + name, error.what()), path + name, error.nearest);
    }
  }
}

ConfigValue OptionRows::write(const void* options) const {
  ConfigValue values = ConfigValue::object();
  for (const OptionRow& row : rows_) {
    if (auto value = write_row(row, at_offset(options, row.offset))) {
      values.set(row.spec.name, std::move(*value));
    }
  }
  return values;
}

void OptionRows::check(const void* options, std::string_view owner, const std::string& path) const {
  const std::string who = std::string(owner) + ": ";
  for (const OptionRow& row : rows_) {
    const std::string name = path + row.spec.name;
    const void* member = at_offset(options, row.offset);
    if (row.group) {
      row.group->check(member, owner, name + ".");
      continue;
    }
    try {
      if (const std::optional<ConfigValue> value = write_row(row, member)) {
        std::optional<Parameters> fields;
        check_parameter(row.spec, *value, name, fields);
        check_rules(row, *value, name);
      }
    } catch (const ConfigError& error) {
      throw ConfigError({}, who + error.what(), error.key, error.nearest);
    }
    try {
      row.access->check(member);
    } catch (const ConfigError& error) {
      throw ConfigError({}, who + with_subject(name, error.what()), name, error.nearest);
    }
  }
}

OptionRow group_row(std::string name, std::size_t offset, const ParameterTable& table,
                    std::shared_ptr<const OptionRows> rows) {
  OptionRow row;
  row.spec = parameter::object(std::move(name), table);
  row.offset = offset;
  row.group = std::move(rows);
  return row;
}

std::vector<OptionRow> moved_rows(std::vector<OptionRow> rows, std::size_t offset,
                                  const void* defaults) {
  for (OptionRow& row : rows) {
    row.offset += offset;
    const bool is_required = !row.spec.default_value;
    if (!row.group && !is_required) row.set_default(at_offset(defaults, row.offset));
  }
  return rows;
}

}  // namespace detail
}  // namespace grapnel
