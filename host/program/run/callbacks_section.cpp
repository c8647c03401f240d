#include "callbacks_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include <grapnel/base/text.h>
#include <grapnel/callbacks/registry.h>

#include "named_items.h"

namespace grapnel::program {
namespace {

// Takes a key out of an object; null when it isn't there.
ConfigValue take(ConfigValue& object, std::string_view key) {
  const ConfigValue* found = object.find(key);
  if (found == nullptr) return {};
  ConfigValue value = *found;
  object.erase(key);
  return value;
}

// Reports a misspelt common key: the callback's own table does not know those.
void check_common_keys(const NamedItem& item, const ParameterTable& own) {
  static const std::vector<std::string> common = {"every", "after",    "first", "last",
                                                  "once",  "on_error", "label"};
  std::vector<std::string> known = own.names();
  known.insert(known.end(), common.begin(), common.end());
  for (const ConfigValue::Member& member : item.parameters.as_object()) {
    if (own.find(member.key) != nullptr) continue;
    const std::string meant = nearest(member.key, known).value_or("");
    if (std::find(common.begin(), common.end(), meant) == common.end()) continue;
    throw ConfigError(member.key_position(),
                      fmt::format("unknown key {} in {}{} Known: {}", quote(member.key),
                                  item.context, did_you_mean(meant), join(known)),
                      item.context + "." + member.key, meant);
  }
}

// The keys that every callback accepts; a parameter of the same name takes precedence.
struct CommonKeys {
  std::string label;
  OnError on_error = OnError::fail;
  std::optional<CallFilter> filter;
};

CommonKeys take_common_keys(NamedItem& item, const ParameterTable& own) {
  CommonKeys keys;
  if (own.find("label") == nullptr) {
    const ConfigValue label = take(item.parameters, "label");
    if (!label.is_null()) keys.label = label.as_string(item.context + ".label");
  }
  if (own.find("on_error") == nullptr) {
    const ConfigValue on_error = take(item.parameters, "on_error");
    if (!on_error.is_null()) keys.on_error = parse_on_error(on_error);
  }
  keys.filter = take_filter(item.parameters, own, item.context);
  check_common_keys(item, own);
  return keys;
}

CallbackHandle make_built_in(const CallbackRegistry::Entry& entry, NamedItem item) {
  const CommonKeys keys = take_common_keys(item, entry.parameters());
  CallbackHandle handle = make_callback(item.name, item.parameters, item.context);
  if (!keys.label.empty()) handle.callback->set_name(keys.label);
  handle.source = item.position.to_string();
  handle.on_error = keys.on_error;
  handle.filter = keys.filter;
  return handle;
}

bridge::PluginCallbackConfig plugin_config(const bridge::PluginCallbackRef& ref, NamedItem item) {
  const CommonKeys keys = take_common_keys(item, ref.callback->parameters);
  bridge::PluginCallbackConfig config{.name = item.name};
  config.enabled = item.enabled;
  config.position = item.position;
  config.on_error = keys.on_error;
  config.filter = keys.filter;
  config.options.name = keys.label;
  config.options.parameters = std::move(item.parameters);
  return config;
}

[[noreturn]] void refuse_unknown(const NamedItem& item, const host::PluginSelection& selection,
                                 const host::DiscoveryOptions& discovery) {
  if (const host::Candidate* candidate = host::discover(discovery).find(item.name)) {
    throw ConfigError(item.position,
                      fmt::format("'{}' is a plugin that is not enabled; to use it: grapnel "
                                  "plugin enable {}, or --plugin {} for this run only",
                                  item.name, candidate->summary.id, candidate->summary.id),
                      item.context);
  }
  std::vector<std::string> known = callback_registry().names();
  for (std::string& name : bridge::plugin_callback_names(selection)) {
    known.push_back(std::move(name));
  }
  const std::optional<std::string> meant = nearest(item.name, known);
  throw ConfigError(item.position,
                    fmt::format("there is no callback {}{} There is no plugin of that id either; "
                                "'grapnel plugin path' shows the search path. Known callbacks: {}",
                                quote(item.name), meant ? did_you_mean(meant) : ".", join(known)),
                    item.context, meant.value_or(""));
}

}  // namespace

CallbacksSection read_callbacks(const ConfigValue& section, const host::PluginSelection& selection,
                                const host::DiscoveryOptions& discovery) {
  CallbacksSection result;
  for (NamedItem& item : read_named_items(section, "callbacks")) {
    if (const CallbackRegistry::Entry* entry = callback_registry().find(item.name)) {
      if (item.enabled) result.built_in.push_back(make_built_in(*entry, std::move(item)));
    } else if (const auto ref = bridge::find_plugin_callback(selection, item.name, item.position)) {
      result.plugins.push_back(plugin_config(*ref, std::move(item)));
    } else if (const CallbackRegistry::Entry* renamed =
                   callback_registry().find_renamed(item.name)) {
      if (item.enabled) result.built_in.push_back(make_built_in(*renamed, std::move(item)));
    } else {
      refuse_unknown(item, selection, discovery);
    }
  }
  return result;
}

}  // namespace grapnel::program
