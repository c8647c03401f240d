#include "json.h"

#include <cmath>

namespace grapnel::oracle {

Json number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

Json numbers(const std::vector<double>& values) {
  Json list = Json::array();
  for (double value : values) list.append(number(value));
  return list;
}

bool is_number(const Json& value) {
  if (value.is_number()) return true;
  if (!value.is_string()) return false;
  const std::string& text = value.as_string();
  return text == "nan" || text == "inf" || text == "-inf";
}

std::string text_or(const Json& object, std::string_view key, std::string_view fallback) {
  const Json& found = get(object, key);
  return found.is_null() ? std::string(fallback) : found.as_string(key);
}

std::int64_t int_or(const Json& object, std::string_view key, std::int64_t fallback) {
  const Json& found = get(object, key);
  return found.is_null() ? fallback : found.as_int(key);
}

bool flag_or(const Json& object, std::string_view key, bool fallback) {
  const Json& found = get(object, key);
  return found.is_null() ? fallback : found.as_bool(key);
}

const Json& get(const Json& object, std::string_view key) {
  static const Json null;
  const Json* found = object.find(key);
  return found == nullptr ? null : *found;
}

const Json::Array& items(const Json& value) {
  static const Json::Array none;
  return value.is_null() ? none : value.as_array();
}

const Json::Object& members(const Json& value) {
  static const Json::Object none;
  return value.is_null() ? none : value.as_object();
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

Json replace_text(const Json& value, std::string_view from, std::string_view to) {
  if (value.is_string()) return replace_all(value.as_string(), from, to);
  if (value.is_array()) {
    Json list = Json::array();
    for (const Json& item : value.as_array()) list.append(replace_text(item, from, to));
    return list;
  }
  if (value.is_object()) {
    Json object = Json::object();
    for (const auto& [key, item, line, column] : value.as_object()) {
      object.set(replace_all(key, from, to), replace_text(item, from, to));
    }
    return object;
  }
  return value;
}

std::string brief(const Json& value, std::size_t max_bytes) {
  std::string text = write_json(value);
  if (text.size() > max_bytes) text = text.substr(0, max_bytes) + "...";
  return text;
}

}  // namespace grapnel::oracle
