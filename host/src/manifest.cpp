#include <grapnel/host/manifest.h>

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include <grapnel/base/text.h>

#include "reserved_names.h"

namespace grapnel::host {
namespace {

constexpr std::size_t max_id_bytes = 64;
constexpr std::size_t max_text_bytes = 1024;
constexpr std::size_t max_list_items = 256;
constexpr std::size_t max_warnings = 20;

const std::vector<std::string> manifest_keys = {
    "manifest_version", "id",       "name",     "version",  "license", "summary",   "abi",
    "requires",         "optional", "before",   "after",    "aliases", "platforms", "callbacks",
    "library",          "authors",  "homepage", "critical", "$schema"};
const std::vector<std::string> abi_keys = {"major", "minor"};
const std::vector<std::string> callback_keys = {"name", "summary", "hooks", "parameters"};
// Bytes of what other commands print in a column or a line; other texts have max_text_bytes.
const std::vector<std::pair<std::string_view, std::size_t>> text_limits = {
    {"version", 64}, {"name", 128}, {"license", 128}, {"authors", 128}, {"homepage", 512}};
// Those of plugin-sdk/MANIFEST.md.
const std::vector<std::string> parameter_types = {
    "boolean",         "integer",         "number",         "string",        "duration",
    "list of boolean", "list of integer", "list of number", "list of string"};

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Ids become part of file names, of state keys in checkpoints ("<id>/<callback>/...") and of
// command lines, so few characters are allowed.
bool is_id(std::string_view text) {
  const auto is_allowed = [](char c) { return is_lower(c) || is_digit(c) || c == '_' || c == '.'; };
  return !text.empty() && text.size() <= max_id_bytes && is_lower(text.front()) &&
         std::ranges::all_of(text, is_allowed) && text.find("..") == std::string_view::npos &&
         text.back() != '.';
}

bool is_callback_name(std::string_view text) {
  const auto is_allowed = [](char c) {
    return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '-';
  };
  return !text.empty() && text.size() <= max_id_bytes && std::ranges::all_of(text, is_allowed);
}

// Reads the members of one object and collects warnings about unknown keys.
class ObjectReader {
 public:
  ObjectReader(const ConfigValue& object, std::string_view what) : object_(object), what_(what) {
    (void)object.as_object(what);
  }

  const ConfigValue& required(std::string_view key) const {
    if (const ConfigValue* value = object_.find(key)) return *value;
    throw object_.error(fmt::format("{} has no '{}', which is required", what_, key),
                        std::string(key));
  }

  // One line of human-readable text.
  std::string text(std::string_view key) const {
    const ConfigValue& value = required(key);
    return checked_text(value, key);
  }
  std::string text_or(std::string_view key, std::string fallback) const {
    const ConfigValue* value = object_.find(key);
    return value == nullptr ? std::move(fallback) : checked_text(*value, key);
  }

  std::string id(std::string_view key) const { return checked_id(required(key), key); }
  std::vector<std::string> ids(std::string_view key) const {
    return list(key, [&](const ConfigValue& item) { return checked_id(item, key); });
  }
  std::vector<std::string> texts(std::string_view key) const {
    return list(key, [&](const ConfigValue& item) { return checked_text(item, key); });
  }

  std::int64_t count(std::string_view key) const {
    const ConfigValue& value = required(key);
    const std::int64_t number = value.as_int(key);
    if (number < 0) {
      throw value.error(fmt::format("'{}' must be at least 0, found {}", key, number),
                        std::string(key));
    }
    return number;
  }

  void warn_of_unknown(const std::vector<std::string>& known,
                       std::vector<std::string>& warnings) const {
    for (const ConfigValue::Member& member : object_.as_object()) {
      if (std::ranges::find(known, member.key) != known.end()) continue;
      warnings.push_back(fmt::format("{}: {} has an unknown key {}, which is ignored{}",
                                     member.key_position().to_string(), what_, quote(member.key),
                                     did_you_mean(member.key, known)));
    }
  }

 private:
  static std::string checked_text(const ConfigValue& value, std::string_view key) {
    const std::string& text = value.as_string(key);
    const auto limited =
        std::ranges::find(text_limits, key, &decltype(text_limits)::value_type::first);
    const std::size_t most = limited == text_limits.end() ? max_text_bytes : limited->second;
    if (text.empty() || text.size() > most) {
      throw value.error(
          fmt::format("'{}' must have 1 to {} bytes, found {}", key, most, text.size()),
          std::string(key));
    }
    return text;
  }

  static std::string checked_id(const ConfigValue& value, std::string_view key) {
    const std::string& id = value.as_string(key);
    if (!is_id(id)) {
      throw value.error(
          fmt::format(
              "{} in '{}' is not a plugin id: 1 to {} characters a-z, 0-9 and '_', the first "
              "one a letter, with single dots between parts",
              quote(id), key, max_id_bytes),
          std::string(key));
    }
    return id;
  }

  template <class Read>
  std::vector<std::string> list(std::string_view key, Read read) const {
    std::vector<std::string> items;
    const ConfigValue* value = object_.find(key);
    if (value == nullptr) return items;
    for (const ConfigValue& item : value->as_array(key)) {
      std::string text = read(item);
      if (std::ranges::find(items, text) != items.end()) {
        throw item.error(fmt::format("{} appears twice in '{}'", quote(text), key),
                         std::string(key));
      }
      items.push_back(std::move(text));
    }
    if (items.size() > max_list_items) {
      throw value->error(fmt::format("'{}' has {} items, at most {} are accepted", key,
                                     items.size(), max_list_items),
                         std::string(key));
    }
    return items;
  }

  const ConfigValue& object_;
  std::string_view what_;
};

void check_manifest_version(const ObjectReader& reader) {
  const ConfigValue& value = reader.required("manifest_version");
  const std::int64_t version = value.as_int("manifest_version");
  if (version == manifest_version) return;
  throw value.error(fmt::format("manifest version {} is not supported, this grapnel reads {}; {}",
                                version, manifest_version,
                                version > manifest_version
                                    ? "update grapnel or install an older release of the plugin"
                                    : "the first version is 1"),
                    "manifest_version");
}

AbiVersion read_abi(const ConfigValue& value, std::vector<std::string>& warnings) {
  const ObjectReader reader(value, "'abi'");
  reader.warn_of_unknown(abi_keys, warnings);
  return {reader.count("major"), reader.count("minor")};
}

// One version, or a list with one per major, for a library that exports an entry for each.
std::vector<AbiVersion> read_abis(const ConfigValue& value, std::vector<std::string>& warnings) {
  if (!value.is_array()) return {read_abi(value, warnings)};
  std::vector<AbiVersion> versions;
  for (const ConfigValue& item : value.as_array("abi")) {
    const AbiVersion version = read_abi(item, warnings);
    if (std::ranges::find(versions, version.major, &AbiVersion::major) != versions.end()) {
      throw item.error(fmt::format("'abi' names the major {} twice", version.major), "abi");
    }
    versions.push_back(version);
  }
  if (versions.empty()) {
    throw value.error(
        fmt::format(R"('abi' is an empty list; write the version, {{"major": {}, "minor": {}}})",
                    host_abi.major, host_abi_lowest_minor),
        "abi");
  }
  return versions;
}

// That of this host's major; when there is none, the newest.
AbiVersion own_abi(const std::vector<AbiVersion>& versions) {
  const auto own = std::ranges::find(versions, host_abi.major, &AbiVersion::major);
  return own != versions.end() ? *own : *std::ranges::max_element(versions);
}

// An id, or a former one, that this plugin can't have.
void check_reserved(const std::string& id, const ConfigValue& value, const std::string& key) {
  if (is_reserved_namespace(id)) {
    throw value.error(
        fmt::format("'{}' in '{}' belongs to Grapnel; use a name of your own, such as "
                    "'org.example.monitor'",
                    id, key),
        key);
  }
  if (is_built_in_callback_name(id)) {
    throw value.error(
        fmt::format("'{}' in '{}' is the name of a built-in callback, which run.json would always "
                    "mean; choose another, or put a domain of yours before it: 'org.example.{}'",
                    id, key, id),
        key);
  }
}

// A name that every callback's section in run.json uses already would make either unreachable. A
// plugin reads its parameters through ext/params.h, which knows fewer types than the tables of
// built-in callbacks: a type that it could not read is an error in the manifest.
void check_parameter_names_and_types(const ConfigValue& parameters) {
  if (!parameters.is_object()) return;  // from_manifest() reports this
  for (const ConfigValue::Member& member : parameters.as_object()) {
    if (is_reserved_parameter(member.key)) {
      throw member.value.error(
          fmt::format("a parameter can't be called {}: in run.json every callback has 'every', "
                      "'after', 'first', 'last', 'once', 'on_error' and 'label', and names that "
                      "begin with '_' are Grapnel's; rename it",
                      quote(member.key)),
          member.key);
    }
    const ConfigValue* type = member.value.is_object() ? member.value.find("type") : nullptr;
    if (type == nullptr) continue;
    const std::string& name = type->as_string("type");
    if (std::ranges::find(parameter_types, name) != parameter_types.end()) continue;
    const std::optional<std::string> meant = nearest(name, parameter_types);
    throw type->error(
        fmt::format("parameter {} has the type {}, which plugins cannot read; types: {}{}",
                    quote(member.key), quote(name), join(parameter_types), did_you_mean(meant)),
        "type", meant.value_or(""));
  }
}

CallbackManifest read_callback(const ConfigValue& value, std::vector<std::string>& warnings) {
  const ObjectReader reader(value, "the callback");
  reader.warn_of_unknown(callback_keys, warnings);
  CallbackManifest callback;
  callback.name = reader.text("name");
  if (!is_callback_name(callback.name)) {
    throw value.at("name").error(
        fmt::format("{} is not a callback name: 1 to {} letters, digits, '_', '-' and '.'",
                    quote(callback.name), max_id_bytes),
        "name");
  }
  callback.summary = reader.text("summary");
  callback.hooks = reader.texts("hooks");
  const ConfigValue* parameters = value.find("parameters");
  if (parameters != nullptr) check_parameter_names_and_types(*parameters);
  callback.parameters = ParameterTable::from_manifest(
      parameters ? *parameters : ConfigValue::object(), callback.name, callback.summary, &warnings);
  return callback;
}

void check_homepage(const Manifest& manifest, const ConfigValue& root) {
  const std::string& homepage = manifest.homepage;
  if (homepage.empty() || homepage.starts_with("https://") || homepage.starts_with("http://"))
    return;
  throw root.at("homepage")
      .error(
          fmt::format("'homepage' is {}; it must begin with https:// or http://", quote(homepage)),
          "homepage");
}

// People read the first few; a manifest of nothing but unknown keys must not fill the screen.
void limit_warnings(std::vector<std::string>& warnings) {
  if (warnings.size() <= max_warnings) return;
  const std::size_t more = warnings.size() - max_warnings;
  warnings.resize(max_warnings);
  warnings.push_back(fmt::format("{} more warnings like these are left out", more));
}

void check_peers(const Manifest& manifest, const ConfigValue& root) {
  for (const std::string& id : manifest.before) {
    if (std::ranges::find(manifest.after, id) != manifest.after.end()) {
      throw root.at("after").error(
          fmt::format("'{}' is in both 'before' and 'after'; remove one of them", id), "after");
    }
  }
  for (const std::string_view key : {"before", "after", "aliases"}) {
    const auto& ids = key == "before"  ? manifest.before
                      : key == "after" ? manifest.after
                                       : manifest.aliases;
    if (std::ranges::find(ids, manifest.id) == ids.end()) continue;
    throw root.at(key).error(fmt::format("'{}' names the plugin itself", key), std::string(key));
  }
}

}  // namespace

std::string AbiVersion::to_string() const {
  return fmt::format("{}.{}", major, minor);
}

const CallbackManifest* Manifest::find(std::string_view callback) const noexcept {
  const auto it = std::ranges::find(callbacks, callback, &CallbackManifest::name);
  return it == callbacks.end() ? nullptr : &*it;
}

Manifest parse_manifest(std::string_view json, std::string_view source) {
  const JsonLimits limits{.max_bytes = max_manifest_bytes, .max_depth = max_manifest_depth};
  const ConfigValue root = parse_json(json, source, limits);
  const ObjectReader reader(root, "the manifest");
  // First, because the other keys may have another meaning in a later version.
  check_manifest_version(reader);

  Manifest manifest;
  manifest.text = json;
  reader.warn_of_unknown(manifest_keys, manifest.warnings);
  manifest.id = reader.id("id");
  check_reserved(manifest.id, root.at("id"), "id");
  manifest.name = reader.text_or("name", manifest.id);
  manifest.version = reader.text("version");
  if (!is_semantic_version(manifest.version)) {
    throw root.at("version").error(
        fmt::format("version {} is not a semantic version such as '1.4.0' or '2.0.0-rc.1'",
                    quote(manifest.version)),
        "version");
  }
  manifest.license = reader.text_or("license", "");
  manifest.summary = reader.text("summary");
  manifest.abi = own_abi(read_abis(reader.required("abi"), manifest.warnings));
  manifest.authors = reader.texts("authors");
  manifest.homepage = reader.text_or("homepage", "");
  check_homepage(manifest, root);
  manifest.critical = reader.texts("critical");
  manifest.required_extensions = reader.texts("requires");
  manifest.optional_extensions = reader.texts("optional");
  manifest.before = reader.ids("before");
  manifest.after = reader.ids("after");
  manifest.aliases = reader.ids("aliases");
  for (const std::string& alias : manifest.aliases) {
    check_reserved(alias, root.at("aliases"), "aliases");
  }
  manifest.platforms = reader.texts("platforms");
  manifest.library = reader.text_or("library", "");
  check_peers(manifest, root);

  const ConfigValue& callbacks = reader.required("callbacks");
  for (const ConfigValue& value : callbacks.as_array("callbacks")) {
    CallbackManifest callback = read_callback(value, manifest.warnings);
    if (manifest.find(callback.name) != nullptr) {
      throw value.error(fmt::format("two callbacks are called '{}'", callback.name), "callbacks");
    }
    manifest.callbacks.push_back(std::move(callback));
  }
  limit_warnings(manifest.warnings);
  return manifest;
}

const std::vector<std::string>& known_manifest_keys() {
  return manifest_keys;
}

}  // namespace grapnel::host
