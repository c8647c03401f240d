#include <grapnel/host/plugin_list.h>

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <unordered_set>
#include <utility>

#include <grapnel/base/error.h>
#include <grapnel/base/text.h>
#include <grapnel/host/store.h>
#include <grapnel/host/suspicion.h>
#include <grapnel/host/trust.h>

#include "descriptions.h"
#include "origin.h"

namespace grapnel::host {
namespace {

bool is_unusable(PluginState state) {
  return state == PluginState::shadowed || state == PluginState::refused;
}

ListedPlugin listed_from(const PluginSummary& summary) {
  ListedPlugin listed;
  listed.id = summary.id;
  listed.version = summary.version;
  listed.name = summary.name;
  listed.summary = summary.summary;
  listed.license = summary.license;
  listed.callbacks = summary.callbacks;
  return listed;
}

// What all entries need.
struct Context {
  const Discovery& discovery;
  const Store store;
  const Suspicions suspicions;
  TrustChecker trust{};
};

ListedPlugin list_enabled(const EnabledPlugin& plugin, Context& context) {
  const Origin origin = look_at_origin(plugin, context.discovery);
  const bool is_same_plugin =
      origin.found && (origin.found->summary.id == plugin.id ||
                       std::ranges::find(origin.found->summary.aliases, plugin.id) !=
                           origin.found->summary.aliases.end());
  ListedPlugin listed = listed_from(is_same_plugin ? origin.found->summary : PluginSummary{});
  listed.state = PluginState::enabled;
  listed.id = plugin.id;
  listed.version = plugin.version;
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
              ? fmt::format("{} is available; to use it: {}",
                            origin.found->summary.version == plugin.version
                                ? fmt::format("another build of {}", plugin.version)
                                : origin.found->summary.version,
                            enable_command(*origin.found))
              : fmt::format("the file that replaced it cannot be used: {}", origin.found->refused);
      break;
    case Origin::State::gone:
      listed.state = PluginState::missing;
      listed.note = fmt::format(
          "its file is gone, its copy is used; to stop: grapnel plugin disable {}", plugin.id);
      break;
    case Origin::State::unreachable:
      listed.state = PluginState::missing;
      listed.note = fmt::format("its copy is used: {}", origin.failure);
      break;
  }
  const Suspicion suspicion = context.suspicions.of(plugin.id, plugin.version, plugin.digest);
  listed.crash = suspicion.crash;
  listed.probe = suspicion.probe;
  if (!suspicion.empty()) {
    listed.state = PluginState::suspect;
    listed.note =
        fmt::format("{}; to stop using it: grapnel plugin disable {}{}", suspicion.to_string(),
                    printable(plugin.id), listed.note.empty() ? "" : "; " + listed.note);
  }
  if (std::string damage = enabled_plugin_damage(plugin, context.store, context.trust);
      !damage.empty()) {
    listed.state = PluginState::damaged;
    listed.note = std::move(damage);
  }
  return listed;
}

ListedPlugin list_candidate(const Candidate& candidate, const Suspicions& suspicions) {
  ListedPlugin listed = listed_from(candidate.summary);
  listed.path = candidate.library;
  listed.origin = candidate.origin;
  if (!candidate.refused.empty()) {
    listed.state = PluginState::refused;
    listed.note = candidate.refused;
  } else if (!candidate.shadowed_by.empty()) {
    listed.state = PluginState::shadowed;
    listed.note = fmt::format("by {}", quote(candidate.shadowed_by.string()));
  } else {
    const Suspicion suspicion = suspicions.of(candidate);
    listed.crash = suspicion.crash;
    listed.probe = suspicion.probe;
    listed.note = suspicion.to_string();
  }
  return listed;
}

// By id, unusable ones last. Sorts pointers, because the elements are large.
void sort(std::vector<ListedPlugin>& plugins) {
  std::vector<ListedPlugin*> order;
  for (ListedPlugin& plugin : plugins) order.push_back(&plugin);
  std::ranges::stable_sort(order, {}, [](const ListedPlugin* plugin) {
    return std::pair(is_unusable(plugin->state), plugin->label());
  });
  std::vector<ListedPlugin> sorted;
  sorted.reserve(plugins.size());
  for (ListedPlugin* plugin : order) sorted.push_back(std::move(*plugin));
  plugins = std::move(sorted);
}

}  // namespace

std::string_view to_string(PluginState state) noexcept {
  return enum_text(state);
}

std::string ListedPlugin::label() const {
  return id.empty() ? path.filename().string() : id;
}

PluginList list_plugins(const DiscoveryOptions& options) {
  const Discovery discovery = discover(options);
  const EnabledPlugins enabled = read_enabled(options.directories);
  Context context{.discovery = discovery,
                  .store = Store(options.directories),
                  .suspicions = Suspicions(options.directories)};

  PluginList list;
  list.directories = discovery.directories;
  list.trust_all_drop_ins = enabled.trust_all_drop_ins;
  std::unordered_set<std::string_view> enabled_ids;
  for (const EnabledPlugin& plugin : enabled.plugins) {
    list.plugins.push_back(list_enabled(plugin, context));
    enabled_ids.insert(plugin.id);
  }
  std::set<const Candidate*> trusted;
  if (enabled.trust_all_drop_ins) {
    for (const Candidate* candidate : discovery.drop_ins()) {
      if (!enabled.is_disabled(candidate->summary.id)) trusted.insert(candidate);
    }
  }
  for (const Candidate& candidate : discovery.candidates) {
    const bool is_enabled = enabled_ids.contains(candidate.summary.id);
    if (candidate.usable() && is_enabled) continue;
    list.plugins.push_back(list_candidate(candidate, context.suspicions));
    ListedPlugin& listed = list.plugins.back();
    if (trusted.contains(&candidate) && !is_enabled) {
      listed.state = PluginState::enabled;
      listed.note = "all drop-ins are trusted";
    }
  }
  sort(list.plugins);
  return list;
}

ConfigValue to_json(const PluginList& list) {
  return grapnel::to_json(list);
}

}  // namespace grapnel::host
