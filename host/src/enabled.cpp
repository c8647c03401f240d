#include <grapnel/host/crash_note.h>
#include <grapnel/host/enabled.h>

#include <fmt/format.h>

#include <algorithm>

#include <grapnel/base/digest.h>
#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/text.h>

#include "copied_manifest.h"
#include "descriptions.h"
#include "enabled_file.h"
#include "utc_time.h"

namespace grapnel::host {
namespace {

// The name of a stored manifest, after its digest.
constexpr std::string_view stored_manifest_name = "plugin.json";

[[noreturn]] void refuse(const Candidate& candidate, const std::string& reason) {
  throw PluginError(fmt::format("cannot enable plugin {}: {}", candidate.describe(), reason),
                    {candidate.summary.id, candidate.summary.version, {}, {}});
}

bool stands_for(const EnabledPlugin& plugin, const Manifest& manifest) {
  return plugin.id == manifest.id ||
         std::ranges::find(manifest.aliases, plugin.id) != manifest.aliases.end();
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

std::string_view to_string(EnableResult::Action action) noexcept {
  return enum_text(action);
}

std::string_view to_string(DisableResult result) noexcept {
  return enum_text(result);
}

// Its settings and its states in checkpoints would go to the new plugin.
[[noreturn]] static void refuse_to_replace(const Manifest& manifest, const EnabledPlugin& other) {
  throw PluginError(
      fmt::format(
          "plugin '{}' {} was not enabled: it says that '{}' is a former id of its own, and "
          "plugin {} is enabled under that id; to put it in that place, settings and states "
          "included: grapnel plugin enable --replace {}",
          manifest.id, manifest.version, other.id, other.describe(), manifest.id),
      {manifest.id, manifest.version, {}, {}});
}

EnableResult enable_plugin(const Candidate& candidate, const HostDirectories& directories,
                           Replace replace) {
  if (!candidate.refused.empty()) refuse(candidate, candidate.refused);
  if (!candidate.shadowed_by.empty()) {
    refuse(candidate,
           fmt::format("another plugin {} comes first in the search path, {}; enable this "
                       "one by its file's path",
                       quote(candidate.summary.id), quote(candidate.shadowed_by.string())));
  }
  Store store(directories);
  const StoredFile library = store.put_library(candidate);
  const std::shared_ptr<const Manifest> shared = manifest_of_copy(candidate, library);
  const Manifest& manifest = *shared;
  const StoredFile text = store.put_text(manifest.text, stored_manifest_name);

  EnableResult result;
  result.plugin = {.id = manifest.id,
                   .version = manifest.version,
                   .digest = library.digest,
                   .manifest_digest = text.digest,
                   .file = library.path.filename().string().substr(library.digest.size() + 1),
                   .origin = candidate.library,
                   .origin_stamp = file_stamp(candidate.identity),
                   .enabled_at = utc_now()};
  edit_enabled_file(directories, [&](EnabledPlugins& enabled) {
    for (const EnabledPlugin& other : enabled.plugins) {
      if (other.id == manifest.id || !stands_for(other, manifest)) continue;
      if (replace == Replace::no) refuse_to_replace(manifest, other);
      result.replaced.push_back(other.describe());
    }
    std::erase(enabled.disabled, manifest.id);
    const auto old = std::ranges::find_if(
        enabled.plugins, [&](const EnabledPlugin& p) { return stands_for(p, manifest); });
    if (old == enabled.plugins.end()) {
      enabled.plugins.push_back(result.plugin);
      return true;
    }
    const bool is_same = old->id == manifest.id && old->digest == library.digest &&
                         old->manifest_digest == text.digest;
    result.action = is_same ? EnableResult::Action::unchanged : EnableResult::Action::updated;
    result.previous_version = old->version;
    if (is_same) result.plugin.enabled_at = old->enabled_at;
    *old = result.plugin;
    // A plugin that was enabled under two of its names is recorded once.
    enabled.plugins.erase(
        std::remove_if(std::next(old), enabled.plugins.end(),
                       [&](const EnabledPlugin& p) { return stands_for(p, manifest); }),
        enabled.plugins.end());
    return true;
  });
  if (result.action == EnableResult::Action::updated) forget_crash(manifest.id, directories);
  return result;
}

DisableResult disable_plugin(std::string_view id, const HostDirectories& directories) {
  DisableResult result = DisableResult::unchanged;
  edit_enabled_file(directories, [&](EnabledPlugins& enabled) {
    if (std::erase_if(enabled.plugins, [&](const EnabledPlugin& p) { return p.id == id; }) > 0) {
      result = DisableResult::disabled;
    }
    if (!enabled.is_disabled(id)) {
      enabled.disabled.emplace_back(id);
      if (result == DisableResult::unchanged) result = DisableResult::noted;
    }
    return result != DisableResult::unchanged;
  });
  return result;
}

std::shared_ptr<const Manifest> read_enabled_manifest(const EnabledPlugin& plugin,
                                                      const Store& store) {
  const std::filesystem::path file = store.path_of(plugin.manifest_digest, stored_manifest_name);
  const std::string damage = stored_file_damage(file, plugin.manifest_digest);
  if (!damage.empty()) {
    throw PluginError(
        fmt::format("cannot use plugin {}: {}; enable it again: grapnel plugin enable "
                    "{}",
                    plugin.describe(), damage, plugin.id),
        {plugin.id, plugin.version, {}, {}});
  }
  store.note_use(plugin.manifest_digest, stored_manifest_name);
  return std::make_shared<const Manifest>(parse_manifest(
      grapnel::read_file(file, max_manifest_bytes), "the manifest of plugin " + quote(plugin.id)));
}

std::string file_stamp(const FileIdentity& identity) {
  return fmt::format("{}:{}:{}:{}:{}", identity.device, identity.inode, identity.size,
                     identity.modified_ns, identity.changed_ns);
}

}  // namespace grapnel::host
