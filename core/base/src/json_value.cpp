// ConfigValue itself: access, changes, and what errors about it say.
#include <grapnel/base/json.h>
#include <grapnel/base/text.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace grapnel {

ConfigValue::ConfigValue() noexcept = default;
ConfigValue::ConfigValue(std::string value) : data_(std::move(value)) {}
ConfigValue::ConfigValue(Array items) : data_(std::move(items)) {}
ConfigValue::ConfigValue(const ConfigValue&) = default;
ConfigValue::ConfigValue(ConfigValue&&) noexcept = default;
ConfigValue& ConfigValue::operator=(const ConfigValue&) = default;
ConfigValue& ConfigValue::operator=(ConfigValue&&) noexcept = default;
ConfigValue::~ConfigValue() = default;

ConfigValue ConfigValue::array() {
  return ConfigValue(Array());
}

ConfigValue ConfigValue::object() {
  ConfigValue value;
  value.data_.emplace<Object>();
  return value;
}

void ConfigValue::set_bool(bool value) noexcept {
  data_ = value;
}
void ConfigValue::set_int(std::int64_t value) noexcept {
  data_ = value;
}
void ConfigValue::set_double(double value) noexcept {
  data_ = value;
}

void ConfigValue::throw_out_of_range() {
  throw std::out_of_range("a number of a configuration must fit a signed 64-bit integer");
}

ConfigValue::Kind ConfigValue::kind() const noexcept {
  return static_cast<Kind>(data_.index());
}

void ConfigValue::throw_wrong_kind(std::string_view name, std::string_view accepted) const {
  const std::string subject = name.empty() ? "expected" : quote(name) + " must be";
  throw error(subject + " " + std::string(accepted) + ", found " + describe(), std::string(name));
}

bool ConfigValue::as_bool(std::string_view name) const {
  if (const auto* value = std::get_if<bool>(&data_)) return *value;
  throw_wrong_kind(name, "true or false");
}

std::int64_t ConfigValue::as_int(std::string_view name) const {
  if (const auto* value = std::get_if<std::int64_t>(&data_)) return *value;
  throw_wrong_kind(name, "an integer");
}

double ConfigValue::as_double(std::string_view name) const {
  if (const auto* value = std::get_if<double>(&data_)) return *value;
  if (const auto* value = std::get_if<std::int64_t>(&data_)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<std::string>(&data_)) {
    if (*value == "nan") return std::numeric_limits<double>::quiet_NaN();
    if (*value == "inf") return std::numeric_limits<double>::infinity();
    if (*value == "-inf") return -std::numeric_limits<double>::infinity();
  }
  throw_wrong_kind(name, "a number");
}

const std::string& ConfigValue::as_string(std::string_view name) const {
  if (const auto* value = std::get_if<std::string>(&data_)) return *value;
  throw_wrong_kind(name, "a string");
}

const ConfigValue::Array& ConfigValue::as_array(std::string_view name) const {
  if (const auto* value = std::get_if<Array>(&data_)) return *value;
  throw_wrong_kind(name, "an array");
}

ConfigValue::Array& ConfigValue::as_array(std::string_view name) {
  if (auto* value = std::get_if<Array>(&data_)) return *value;
  throw_wrong_kind(name, "an array");
}

const ConfigValue::Object& ConfigValue::as_object(std::string_view name) const {
  if (const auto* value = std::get_if<Object>(&data_)) return *value;
  throw_wrong_kind(name, "an object");
}

ConfigValue::Object& ConfigValue::as_object(std::string_view name) {
  if (auto* value = std::get_if<Object>(&data_)) return *value;
  throw_wrong_kind(name, "an object");
}

const ConfigValue* ConfigValue::find(std::string_view key) const noexcept {
  if (const auto* members = std::get_if<Object>(&data_)) {
    for (const Member& member : *members) {
      if (member.key == key) return &member.value;
    }
  }
  return nullptr;
}

ConfigValue* ConfigValue::find(std::string_view key) noexcept {
  return const_cast<ConfigValue*>(std::as_const(*this).find(key));
}

const ConfigValue& ConfigValue::at(std::string_view key) const {
  if (const ConfigValue* value = find(key)) return *value;
  std::vector<std::string> known;
  for (const Member& member : as_object()) known.push_back(member.key);
  const auto meant = nearest(key, known);
  throw error("the key " + quote(key) + " is missing" + did_you_mean(meant), std::string(key),
              meant.value_or(""));
}

std::size_t ConfigValue::size() const noexcept {
  if (const auto* items = std::get_if<Array>(&data_)) return items->size();
  if (const auto* members = std::get_if<Object>(&data_)) return members->size();
  return 0;
}

ConfigValue& ConfigValue::set(std::string_view key, ConfigValue value) {
  if (is_null()) data_.emplace<Object>();
  Object& members = as_object();
  for (Member& member : members) {
    if (member.key == key) {
      member.value = std::move(value);
      return member.value;
    }
  }
  members.push_back({std::string(key), std::move(value), 0, 0});
  return members.back().value;
}

ConfigValue& ConfigValue::append(ConfigValue value) {
  if (is_null()) data_.emplace<Array>();
  Array& items = as_array();
  items.push_back(std::move(value));
  return items.back();
}

bool ConfigValue::erase(std::string_view key) {
  auto* members = std::get_if<Object>(&data_);
  return members != nullptr &&
         std::erase_if(*members, [&](const Member& member) { return member.key == key; }) > 0;
}

SourcePosition ConfigValue::position() const {
  return {source_ ? *source_ : std::string(), line_, column_};
}

void ConfigValue::set_position(std::shared_ptr<const std::string> source, int line,
                               int column) noexcept {
  source_ = std::move(source);
  line_ = line;
  column_ = column;
}

SourcePosition ConfigValue::Member::key_position() const {
  SourcePosition at = value.position();
  if (line != 0) {
    at.line = line;
    at.column = column;
  }
  return at;
}

std::string ConfigValue::describe() const {
  switch (kind()) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return std::get<bool>(data_) ? "true" : "false";
    case Kind::integer:
      return "the integer " + std::to_string(std::get<std::int64_t>(data_));
    case Kind::number:
      return "the number " + write_json(*this);
    case Kind::string:
      return "the string '" + printable(std::get<std::string>(data_), 80) + "'";
    case Kind::array:
      return "an array of " + std::to_string(size());
    case Kind::object:
      return "an object";
  }
  return "a value";
}

ConfigError ConfigValue::error(const std::string& message, std::string key,
                               std::string nearest_key) const {
  return {position(), message, std::move(key), std::move(nearest_key)};
}

bool ConfigValue::operator==(const ConfigValue& other) const noexcept {
  if (kind() == Kind::number && other.kind() == Kind::number) {
    const double a = std::get<double>(data_);
    const double b = std::get<double>(other.data_);
    return a == b || (std::isnan(a) && std::isnan(b));
  }
  return data_ == other.data_;
}

}  // namespace grapnel
