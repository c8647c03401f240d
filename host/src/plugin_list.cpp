#include <grapnel/host/plugin_list.h>

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include <grapnel/base/error.h>
#include <grapnel/base/text.h>

#include "origin.h"

namespace grapnel::host {
namespace {

bool is_unusable(PluginState state) {
  return state == PluginState::shadowed || state == PluginState::refused;
}

ListedPlugin list_enabled(const EnabledPlugin& plugin, const Discovery& discovery,
                          const Store& store) {
  const Origin origin = look_at_origin(plugin, discovery);
  ListedPlugin listed;
  listed.state = PluginState::enabled;
  if (origin.found) listed.summary = origin.found->summary;
  listed.summary.id = plugin.id;
  listed.summary.version = plugin.version;
  listed.label = plugin.id;
  listed.path = origin.found ? origin.found->library : plugin.origin;
  listed.origin = origin.found ? origin.found->origin : SearchOrigin::file;
  listed.digest = plugin.digest;
  listed.enabled_at = plugin.enabled_at;
  switch (origin.state) {
    case Origin::State::same:
      break;
    case Origin::State::changed:
      listed.state = PluginState::update_waits;
      listed.note =
          origin.found->refused.empty()
              ? fmt::format("{} waits; to use it: {}",
                            origin.found->summary.version == plugin.version
                                ? fmt::format("another build of {}", plugin.version)
                                : origin.found->summary.version,
                            enable_command(*origin.found))
              : fmt::format("the file that replaced it cannot be used: {}", origin.found->refused);
      break;
    case Origin::State::gone:
      listed.state = PluginState::missing;
      listed.note = fmt::format(
          "its file is gone, the copy runs; to stop: grapnel plugin disable {}", plugin.id);
      break;
    case Origin::State::unreachable:
      listed.state = PluginState::missing;
      listed.note = fmt::format("the copy runs: {}", origin.failure);
      break;
  }
  if (!store.holds(plugin.digest, plugin.file)) {
    listed.state = PluginState::damaged;
    listed.note = fmt::format("its copy {} is missing; enable it again: grapnel plugin enable {}",
                              quote(store.path_of(plugin.digest, plugin.file).string()), plugin.id);
  }
  return listed;
}

ListedPlugin list_candidate(Candidate candidate) {
  ListedPlugin listed;
  listed.label =
      candidate.summary.id.empty() ? candidate.library.filename().string() : candidate.summary.id;
  listed.summary = std::move(candidate.summary);
  listed.path = std::move(candidate.library);
  listed.origin = candidate.origin;
  if (!candidate.refused.empty()) {
    listed.state = PluginState::refused;
    listed.note = std::move(candidate.refused);
  } else if (!candidate.shadowed_by.empty()) {
    listed.state = PluginState::shadowed;
    listed.note = fmt::format("by {}", quote(candidate.shadowed_by.string()));
  }
  return listed;
}

// By id, what can't be used last. Through pointers, because the elements are large.
void sort(std::vector<ListedPlugin>& plugins) {
  std::vector<ListedPlugin*> order;
  for (ListedPlugin& plugin : plugins) order.push_back(&plugin);
  std::ranges::stable_sort(order, {}, [](const ListedPlugin* plugin) {
    return std::tuple(is_unusable(plugin->state), std::string_view(plugin->label));
  });
  std::vector<ListedPlugin> sorted;
  sorted.reserve(plugins.size());
  for (ListedPlugin* plugin : order) sorted.push_back(std::move(*plugin));
  plugins = std::move(sorted);
}

ConfigValue to_json(const ListedPlugin& plugin) {
  ConfigValue value = ConfigValue::object();
  value.set("id", plugin.summary.id);
  value.set("state", to_string(plugin.state));
  value.set("version", plugin.summary.version);
  value.set("name", plugin.summary.name);
  value.set("summary", plugin.summary.summary);
  value.set("license", plugin.summary.license);
  value.set("callbacks", plugin.summary.callbacks);
  value.set("path", plugin.path.string());
  value.set("origin", to_string(plugin.origin));
  value.set("digest", plugin.digest);
  value.set("enabled_at", plugin.enabled_at);
  value.set("note", plugin.note);
  return value;
}

}  // namespace

std::string_view to_string(PluginState state) noexcept {
  switch (state) {
    case PluginState::enabled:
      return "enabled";
    case PluginState::disabled:
      return "disabled";
    case PluginState::update_waits:
      return "update waits";
    case PluginState::missing:
      return "missing";
    case PluginState::damaged:
      return "damaged";
    case PluginState::shadowed:
      return "shadowed";
    case PluginState::refused:
      return "refused";
  }
  return "";
}

PluginList list_plugins(const DiscoveryOptions& options) {
  Discovery discovery = discover(options);
  const EnabledPlugins enabled = read_enabled(options.directories);
  const Store store(options.directories);

  PluginList list;
  list.directories = discovery.directories;
  list.trust_all_drop_ins = enabled.trust_all_drop_ins;
  for (const EnabledPlugin& plugin : enabled.plugins) {
    list.plugins.push_back(list_enabled(plugin, discovery, store));
  }
  std::set<const Candidate*> trusted;
  if (enabled.trust_all_drop_ins) {
    for (const Candidate* candidate : discovery.drop_ins()) {
      if (!enabled.is_disabled(candidate->summary.id)) trusted.insert(candidate);
    }
  }
  for (Candidate& candidate : discovery.candidates) {
    if (candidate.usable() && enabled.find(candidate.summary.id) != nullptr) continue;
    list.plugins.push_back(list_candidate(std::move(candidate)));
    ListedPlugin& listed = list.plugins.back();
    if (trusted.contains(&candidate) && enabled.find(listed.summary.id) == nullptr) {
      listed.state = PluginState::enabled;
      listed.note = "as every drop-in";
    }
  }
  sort(list.plugins);
  return list;
}

ConfigValue to_json(const PluginList& list) {
  ConfigValue directories = ConfigValue::array();
  for (const SearchDirectory& directory : list.directories) {
    ConfigValue value = ConfigValue::object();
    value.set("path", directory.path.string());
    value.set("origin", to_string(directory.origin));
    value.set("exists", directory.exists);
    directories.append(std::move(value));
  }
  ConfigValue plugins = ConfigValue::array();
  for (const ListedPlugin& plugin : list.plugins) plugins.append(to_json(plugin));
  ConfigValue root = ConfigValue::object();
  root.set("plugins", std::move(plugins));
  root.set("directories", std::move(directories));
  root.set("trust_all_drop_ins", list.trust_all_drop_ins);
  return root;
}

}  // namespace grapnel::host
