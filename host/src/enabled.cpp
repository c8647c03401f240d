#include <grapnel/host/enabled.h>

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/text.h>

#include "descriptions.h"
#include "enabled_file.h"

namespace grapnel::host {
namespace {

[[noreturn]] void refuse_copy(const EnabledPlugin& plugin, const std::string& damage) {
  throw PluginError(fmt::format("cannot use plugin {}: {}", plugin.describe(), damage),
                    {plugin.id, plugin.version, {}, {}});
}

std::string with_remedy(const EnabledPlugin& plugin, const std::string& damage) {
  return fmt::format("{}; enable it again: grapnel plugin enable {}, or by its file, {}", damage,
                     printable(plugin.id), quote(plugin.origin.string()));
}

}  // namespace

std::string EnabledPlugin::describe() const {
  return fmt::format("{} {} ({})", quote(id), printable(version), printable(origin.string()));
}

const EnabledPlugin* EnabledPlugins::find(std::string_view id) const noexcept {
  const auto it = std::ranges::find(plugins, id, &EnabledPlugin::id);
  return it == plugins.end() ? nullptr : &*it;
}

bool EnabledPlugins::is_disabled(std::string_view id) const noexcept {
  return std::ranges::find(disabled, id) != disabled.end();
}

std::vector<std::string> EnabledPlugins::digests() const {
  std::vector<std::string> digests;
  for (const EnabledPlugin& plugin : plugins) {
    digests.push_back(plugin.digest);
    digests.push_back(plugin.manifest_digest);
  }
  return digests;
}

std::string_view to_string(DisableResult result) noexcept {
  return enum_text(result);
}

std::vector<DisableResult> disable_plugins(const std::vector<std::string>& ids,
                                           const HostDirectories& directories) {
  std::vector<DisableResult> results;
  edit_enabled_file(directories, [&](EnabledPlugins& enabled) {
    const std::unordered_set<std::string_view> wanted(ids.begin(), ids.end());
    std::unordered_set<std::string> ended;
    std::erase_if(enabled.plugins, [&](const EnabledPlugin& plugin) {
      if (!wanted.contains(plugin.id)) return false;
      ended.insert(plugin.id);
      return true;
    });
    std::unordered_set<std::string> disabled(enabled.disabled.begin(), enabled.disabled.end());
    bool changed = false;
    for (const std::string& id : ids) {
      const bool is_new = disabled.insert(id).second;
      if (is_new) enabled.disabled.push_back(id);
      results.push_back(ended.erase(id) > 0 ? DisableResult::disabled
                        : is_new            ? DisableResult::noted
                                            : DisableResult::unchanged);
      changed |= results.back() != DisableResult::unchanged;
    }
    return changed;
  });
  return results;
}

DisableResult disable_plugin(std::string_view id, const HostDirectories& directories) {
  return disable_plugins({std::string(id)}, directories).front();
}

std::shared_ptr<const Manifest> read_enabled_manifest(const EnabledPlugin& plugin,
                                                      const Store& store) {
  TrustChecker trust;
  return read_enabled_manifest(plugin, store, trust);
}

std::shared_ptr<const Manifest> read_enabled_manifest(const EnabledPlugin& plugin,
                                                      const Store& store, TrustChecker& trust) {
  const std::filesystem::path file = store.path_of(plugin.manifest_digest, stored_manifest_name);
  if (const std::string damage = stored_file_damage(file, plugin.manifest_digest, trust);
      !damage.empty()) {
    refuse_copy(plugin, with_remedy(plugin, damage));
  }
  auto manifest = std::make_shared<const Manifest>(parse_manifest(
      grapnel::read_file(file, max_manifest_bytes), "the manifest of plugin " + quote(plugin.id)));
  if (manifest->id != plugin.id) {
    refuse_copy(plugin, with_remedy(plugin, "the record gives it the copy of plugin " +
                                                quote(manifest->id)));
  }
  return manifest;
}

std::string enabled_plugin_damage(const EnabledPlugin& plugin, const Store& store,
                                  TrustChecker& trust) {
  const std::string damage =
      stored_file_damage(store.path_of(plugin.digest, plugin.file), plugin.digest, trust);
  if (!damage.empty()) return with_remedy(plugin, damage);
  try {
    const auto manifest = read_enabled_manifest(plugin, store, trust);
    return incompatibility(*manifest);
  } catch (const PluginError& error) {
    std::string_view text = error.what();
    const std::string prefix = fmt::format("cannot use plugin {}: ", plugin.describe());
    if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
    return std::string(text);
  } catch (const Error& error) {
    return error.what();
  }
}

std::string file_stamp(const FileIdentity& identity) {
  return fmt::format("{}:{}:{}:{}:{}", identity.device, identity.inode, identity.size,
                     identity.modified_ns, identity.changed_ns);
}

}  // namespace grapnel::host
