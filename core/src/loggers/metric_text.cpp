#include "loggers/metric_text.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "text/python_format.h"
#include "values/config_state.h"

namespace grapnel {

namespace {

bool is_whole_epoch(std::string_view name, double value) {
  return name == "epoch" && std::trunc(value) == value && std::abs(value) < 1e15;
}

// Whether YAML reads a text without quotes as that text.
bool is_plain(const std::string& text) {
  if (text.empty() || text.front() == ' ' || text.back() == ' ') return false;
  for (const char* word : {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}) {
    std::string lower = text;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (lower == word) return false;
  }
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return (is_letter(text.front()) || text.front() == '/') &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '/' ||
                  c == ' ';
         });
}

std::string quoted(const std::string& text) {
  return is_plain(text) ? text : write_json(ConfigValue(text));
}

std::string number_yaml(double value) {
  if (std::isnan(value)) return ".nan";
  if (std::isinf(value)) return value < 0 ? "-.inf" : ".inf";
  std::string text = python_repr(value);
  // YAML 1.1 only takes 1.0e-05 for a number, not 1e-05.
  if (const size_t e = text.find('e');
      e != std::string::npos && text.find('.') == std::string::npos) {
    text.insert(e, ".0");
  }
  return text;
}

void write_yaml(const StateValue& value, const std::string& indent, std::string& out) {
  if (value.is_dict() && !value.to_dict().empty()) {
    out += indent.empty() ? "" : "\n";
    for (const auto& [key, item] : value.to_dict()) {
      out += indent + quoted(key) + ":";
      write_yaml(item, indent + "  ", out);
    }
  } else if (value.is_list() && !value.to_list().empty()) {
    // In JSON's notation, which is YAML too: settings have short lists.
    out += " " + write_json(config_of(value)) + "\n";
  } else if (value.is_double()) {
    out += " " + number_yaml(value.to_double()) + "\n";
  } else if (value.is_string()) {
    out += " " + quoted(value.to_string()) + "\n";
  } else {
    out += " " + write_json(config_of(value)) + "\n";
  }
}

}  // namespace

std::string metric_text(std::string_view name, double value) {
  return is_whole_epoch(name, value) ? std::to_string(static_cast<int64_t>(value))
                                     : python_repr(value);
}

ConfigValue metric_json(std::string_view name, double value) {
  if (is_whole_epoch(name, value)) return static_cast<int64_t>(value);
  return value;
}

std::string settings_yaml(const StateDict& settings) {
  if (settings.empty()) return "{}\n";
  std::string out;
  write_yaml(settings, "", out);
  return out;
}

}  // namespace grapnel
