#include "values.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>
#include <vector>

namespace grapnel::oracle {
namespace {

std::string described(const std::string& path, const Json& expected, const Json& got) {
  return path + ": expected " + brief(expected) + ", got " + brief(got);
}

std::set<std::string> texts(const Json& list) {
  std::set<std::string> result;
  for (const Json& item : items(list)) result.insert(item.as_string());
  return result;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

bool same_cell(const std::string& expected, const std::string& got) {
  if (expected == got) return true;
  if (expected.empty() || got.empty()) return false;
  char* end_a = nullptr;
  char* end_b = nullptr;
  const double a = std::strtod(expected.c_str(), &end_a);
  const double b = std::strtod(got.c_str(), &end_b);
  return *end_a == '\0' && *end_b == '\0' && same_number(a, b);
}

}  // namespace

bool same_number(double expected, double got) {
  if (std::isnan(expected) || std::isnan(got)) return std::isnan(expected) && std::isnan(got);
  if (expected == got) return true;
  return std::abs(expected - got) <= 1e-5 * (1.0 + std::abs(expected));
}

std::optional<std::string> value_difference(const Json& expected, const Json& got,
                                            const std::string& path) {
  if (expected.is_integer() && got.is_integer()) {
    if (expected.as_int() == got.as_int()) return {};
    return described(path, expected, got);
  }
  if (is_number(expected) && is_number(got)) {
    if (same_number(expected.as_double(), got.as_double())) return {};
    return described(path, expected, got);
  }
  if (expected.kind() != got.kind()) return described(path, expected, got);
  if (expected.is_array()) {
    for (std::size_t i = 0; i < std::max(expected.size(), got.size()); ++i) {
      const std::string at = path + "[" + std::to_string(i) + "]";
      if (i >= got.size()) return at + ": expected " + brief(expected.as_array()[i]) + ", got none";
      if (i >= expected.size()) return at + ": one too many: " + brief(got.as_array()[i]);
      if (auto found = value_difference(expected.as_array()[i], got.as_array()[i], at)) {
        return found;
      }
    }
    return {};
  }
  if (expected.is_object()) {
    if (auto found = subset_difference(expected, got, path)) return found;
    for (const auto& [key, value, line, column] : got.as_object()) {
      if (!expected.contains(key)) return path + ": one too many: '" + key + "' " + brief(value);
    }
    return {};
  }
  if (expected == got) return {};
  return described(path, expected, got);
}

std::optional<std::string> subset_difference(const Json& expected, const Json& got,
                                             const std::string& path) {
  if (!expected.is_object() || !got.is_object()) return value_difference(expected, got, path);
  for (const auto& [key, value, line, column] : expected.as_object()) {
    const std::string at = path + "." + key;
    const Json* found = got.find(key);
    if (found == nullptr) return at + ": expected " + brief(value) + ", got none";
    if (auto difference = value_difference(value, *found, at)) return difference;
  }
  return {};
}

std::optional<std::string> set_difference(const Json& expected, const Json& got,
                                          const std::string& path) {
  const std::set<std::string> a = texts(expected);
  const std::set<std::string> b = texts(got);
  for (const std::string& text : a) {
    if (!b.contains(text)) return path + ": '" + text + "' is missing";
  }
  for (const std::string& text : b) {
    if (!a.contains(text)) return path + ": '" + text + "' is one too many";
  }
  return {};
}

std::optional<std::string> csv_difference(const Json& expected, const Json& got) {
  if (!expected.is_string() || !got.is_string()) return value_difference(expected, got, "csv");
  const std::vector<std::string> a = split(expected.as_string(), '\n');
  const std::vector<std::string> b = split(got.as_string(), '\n');
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    const std::string wanted = i < a.size() ? a[i] : "(the end)";
    const std::string found = i < b.size() ? b[i] : "(the end)";
    const std::vector<std::string> cells_a = split(wanted, ',');
    const std::vector<std::string> cells_b = split(found, ',');
    if (cells_a.size() != cells_b.size() ||
        !std::equal(cells_a.begin(), cells_a.end(), cells_b.begin(), same_cell)) {
      return "csv line " + std::to_string(i + 1) + ": expected '" + wanted + "', got '" + found +
             "'";
    }
  }
  return {};
}

}  // namespace grapnel::oracle
