#include <grapnel/base/document_notation.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <span>

#include <grapnel/base/digest.h>
#include <grapnel/base/text.h>

namespace grapnel::document {
namespace {

constexpr std::string_view bytes_key = "$bytes";
constexpr std::string_view dict_key = "$dict";

ConfigValue special(std::string_view key, ConfigValue content) {
  ConfigValue value = ConfigValue::object();
  value.set(key, std::move(content));
  return value;
}

}  // namespace

ConfigValue write_text(const std::string& text) {
  if (is_utf8(text)) return text;
  return special(bytes_key, hex(std::as_bytes(std::span(text))));
}

ConfigValue write_number(double number) {
  if (std::isfinite(number)) return number;
  return special(number_key, std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf");
}

ConfigValue write_dict(std::vector<std::pair<std::string, ConfigValue>> items) {
  const bool plain = std::ranges::all_of(
      items, [](const auto& item) { return is_utf8(item.first) && !item.first.starts_with('$'); });
  if (plain) {
    ConfigValue object = ConfigValue::object();
    ConfigValue::Object& members = object.as_object();  // set() would look for each key first
    for (auto& [key, value] : items) members.push_back({std::move(key), std::move(value)});
    return object;
  }
  ConfigValue::Array pairs;
  for (auto& [key, value] : items) {
    pairs.push_back(ConfigValue::Array{write_text(key), std::move(value)});
  }
  return special(dict_key, std::move(pairs));
}

bool is_bytes(const ConfigValue& value) noexcept {
  return value.contains(bytes_key);
}

std::string read_text(const ConfigValue& value) {
  const ConfigValue* bytes = value.find(bytes_key);
  if (bytes == nullptr) return value.as_string(dict_key);
  const auto decoded = unhex(bytes->as_string(bytes_key));
  if (!decoded) throw bytes->error("not hexadecimal");
  return *decoded;
}

std::vector<std::pair<std::string, const ConfigValue*>> read_dict(const ConfigValue& value) {
  std::vector<std::pair<std::string, const ConfigValue*>> items;
  const ConfigValue* pairs = value.find(dict_key);
  if (pairs == nullptr) {
    for (const auto& member : value.as_object()) items.emplace_back(member.key, &member.value);
    return items;
  }
  std::set<std::string> keys;
  for (const ConfigValue& pair : pairs->as_array(dict_key)) {
    const ConfigValue::Array& both = pair.as_array(dict_key);
    if (both.size() != 2) throw pair.error("not a pair of key and value");
    std::string key = read_text(both[0]);
    if (!keys.insert(key).second) throw pair.error("the key " + quote(key) + " is there twice");
    items.emplace_back(std::move(key), &both[1]);
  }
  return items;
}

}  // namespace grapnel::document
