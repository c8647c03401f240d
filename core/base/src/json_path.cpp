// `--set trainer.max_epochs=5`: dotted paths into a document.
#include <grapnel/base/json.h>
#include <grapnel/base/text.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace grapnel {
namespace {

// Splits at dots outside double quotes. `source` names the path in errors.
std::vector<std::string> split_path(std::string_view path, const std::string& source) {
  std::vector<std::string> segments(1);
  bool quoted = false;
  bool was_quoted = false;
  const auto finish = [&] {
    if (segments.back().empty() && !was_quoted) {
      throw ConfigError({source, 0, 0},
                        "the path has an empty part; write it like trainer.max_epochs");
    }
    was_quoted = false;
  };
  for (const char c : path) {
    if (c == '"') {
      quoted = !quoted;
      was_quoted = true;
    } else if (c == '.' && !quoted) {
      finish();
      segments.emplace_back();
    } else {
      segments.back() += c;
    }
  }
  if (quoted) throw ConfigError({source, 0, 0}, "a double quote in the path is not closed");
  finish();
  return segments;
}

std::optional<std::size_t> index_of(std::string_view segment) {
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(segment.data(), segment.data() + segment.size(), index);
  if (error != std::errc() || end != segment.data() + segment.size()) return std::nullopt;
  return index;
}

// The '=' that ends the path: the first one outside double quotes.
std::size_t find_equals(std::string_view assignment) {
  bool quoted = false;
  for (std::size_t i = 0; i < assignment.size(); ++i) {
    if (assignment[i] == '"') quoted = !quoted;
    if (assignment[i] == '=' && !quoted) return i;
  }
  return std::string_view::npos;
}

void name_source(ConfigValue& value, const std::shared_ptr<const std::string>& source) {
  value.set_position(source, 0, 0);
  if (value.is_array()) {
    for (ConfigValue& item : value.as_array()) name_source(item, source);
  } else if (value.is_object()) {
    for (ConfigValue::Member& member : value.as_object()) {
      member.line = member.column = 0;
      name_source(member.value, source);
    }
  }
}

ConfigValue parse_value(std::string_view text, const std::shared_ptr<const std::string>& source) {
  ConfigValue value;
  try {
    value = parse_json(text, *source);
  } catch (const ConfigError& error) {
    const auto start = text.find_first_not_of(" \t\r\n");
    const bool meant_as_json = start != std::string_view::npos &&
                               std::string_view("{[\"").find(text[start]) != std::string_view::npos;
    if (meant_as_json) throw;
    value = ConfigValue(text);
  }
  name_source(value, source);
  return value;
}

// One step down, creating what is not there.
ConfigValue& descend(ConfigValue& parent, const std::string& segment,
                     const std::shared_ptr<const std::string>& source) {
  ConfigValue fresh;
  fresh.set_position(source, 0, 0);
  if (parent.is_array()) {
    const auto index = index_of(segment);
    if (!index || *index > parent.size()) {
      throw ConfigError({*source, 0, 0}, quote(segment) + " is not an index of an array of " +
                                             std::to_string(parent.size()) +
                                             "; write 0 and up, or its size to append");
    }
    if (*index == parent.size()) parent.append(std::move(fresh));
    return parent.as_array()[*index];
  }
  if (!parent.is_object() && !parent.is_null()) {
    throw ConfigError({*source, 0, 0}, "there is " + parent.describe() +
                                           " where an object with the key " + quote(segment) +
                                           " is needed");
  }
  if (ConfigValue* found = parent.find(segment)) return *found;
  return parent.set(segment, std::move(fresh));
}

}  // namespace

void set_by_path(ConfigValue& root, std::string_view assignment) {
  const std::size_t equals = find_equals(assignment);
  if (equals == std::string_view::npos) {
    throw ConfigError({"--set " + std::string(assignment), 0, 0},
                      "an '=' is missing; write it like --set trainer.max_epochs=5");
  }
  const std::string_view path = assignment.substr(0, equals);
  const auto source = std::make_shared<const std::string>("--set " + std::string(path));
  const std::vector<std::string> segments = split_path(path, *source);
  ConfigValue value = parse_value(assignment.substr(equals + 1), source);
  ConfigValue changed = root;  // a path that fails half-way leaves the document as it was
  ConfigValue* place = &changed;
  for (const std::string& segment : segments) place = &descend(*place, segment, source);
  *place = std::move(value);
  root = std::move(changed);
}

const ConfigValue* find_by_path(const ConfigValue& root, std::string_view path) {
  const ConfigValue* place = &root;
  for (const std::string& segment : split_path(path, std::string(path))) {
    if (place->is_array()) {
      const auto index = index_of(segment);
      if (!index || *index >= place->size()) return nullptr;
      place = &place->as_array()[*index];
    } else if (const ConfigValue* found = place->find(segment)) {
      place = found;
    } else {
      return nullptr;
    }
  }
  return place;
}

}  // namespace grapnel
