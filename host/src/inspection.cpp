#include <grapnel/host/inspection.h>

#include <fmt/format.h>

#include <optional>
#include <utility>

#include <grapnel/base/digest.h>
#include <grapnel/base/error.h>
#include <grapnel/base/text.h>
#include <grapnel/host/enabled.h>
#include <grapnel/host/selection.h>
#include <grapnel/host/store.h>
#include <grapnel/host/suspicion.h>
#include <grapnel/host/trust.h>

#include "descriptions.h"
#include "origin.h"

namespace grapnel::host {
namespace {

const Candidate* find_in(const Discovery& discovery, const std::string& id) {
  if (const Candidate* candidate = discovery.find(id)) return candidate;
  for (const Candidate& candidate : discovery.candidates) {
    if (candidate.label() == id || candidate.library.filename() == id) return &candidate;
  }
  return nullptr;
}

std::vector<std::string> labels(const Discovery& discovery) {
  std::vector<std::string> labels;
  for (const Candidate& candidate : discovery.candidates) labels.push_back(candidate.label());
  return labels;
}

// The facts about a candidate, as far as they can be read.
Inspection inspect_candidate(const Candidate& candidate) {
  Inspection inspection;
  inspection.path = candidate.library;
  inspection.manifest_path = candidate.manifest_file;
  if (!candidate.refused.empty()) {
    inspection.state = PluginState::refused;
    inspection.note = candidate.refused;
  }
  try {
    inspection.facts = read_library_file(candidate.library);
    inspection.digest = hex(sha256_file(candidate.library));
  } catch (const Error&) {
    // candidate.refused has the reason
  }
  try {
    inspection.manifest = read_manifest(candidate);
  } catch (const Error&) {
  }
  return inspection;
}

Inspection inspect_copy(const EnabledPlugin& plugin, const Store& store, const Origin& origin) {
  Inspection inspection;
  inspection.state = PluginState::missing;
  inspection.path = store.path_of(plugin.digest, plugin.file);
  inspection.note =
      origin.state == Origin::State::unreachable
          ? origin.failure + "; its copy is used"
          : fmt::format("its file {} is gone; its copy is used", quote(plugin.origin.string()));
  inspection.manifest = read_enabled_manifest(plugin, store);
  inspection.digest = plugin.digest;
  try {
    inspection.facts = read_library_file(inspection.path);
  } catch (const Error& error) {
    inspection.state = PluginState::damaged;
    inspection.note = error.what();
  }
  return inspection;
}

// What a training would find.
void judge_enabled(Inspection& inspection, const EnabledPlugin& plugin, const Store& store,
                   const Suspicions& suspicions) {
  const Suspicion suspicion = suspicions.of(plugin.id, plugin.version, plugin.digest);
  if (!suspicion.empty()) {
    inspection.state = PluginState::suspect;
    inspection.note =
        suspicion.to_string() + (inspection.note.empty() ? "" : "; ") + inspection.note;
  }
  TrustChecker trust;
  if (std::string damage = enabled_plugin_damage(plugin, store, trust); !damage.empty()) {
    inspection.state = PluginState::damaged;
    inspection.note = std::move(damage);
  }
}

ConfigValue to_json(const CallbackManifest& callback) {
  ConfigValue value = ConfigValue::object();
  value.set("name", callback.name);
  value.set("summary", callback.summary);
  value.set("hooks", callback.hooks);
  value.set("parameters", callback.parameters.to_manifest());
  return value;
}

void set_manifest(ConfigValue& root, const Manifest& manifest) {
  root.set("id", manifest.id);
  root.set("name", manifest.name);
  root.set("version", manifest.version);
  root.set("license", manifest.license);
  root.set("summary", manifest.summary);
  root.set("authors", manifest.authors);
  root.set("homepage", manifest.homepage);
  root.set("abi", manifest.abi.to_string());
  root.set("requires", manifest.required_extensions);
  root.set("optional", manifest.optional_extensions);
  root.set("before", manifest.before);
  root.set("after", manifest.after);
  root.set("aliases", manifest.aliases);
  root.set("platforms", manifest.platforms);
  ConfigValue callbacks = ConfigValue::array();
  for (const CallbackManifest& callback : manifest.callbacks) callbacks.append(to_json(callback));
  root.set("callbacks", std::move(callbacks));
  root.set("warnings", manifest.warnings);
}

ConfigValue to_json(const LibraryFacts& facts) {
  ConfigValue value = ConfigValue::object();
  value.set("machine", facts.machine);
  value.set("needed", facts.needed);
  value.set("exported", facts.exported);
  return value;
}

}  // namespace

std::vector<Candidate> find_candidates(const std::vector<std::string>& arguments,
                                       const DiscoveryOptions& options) {
  std::optional<Discovery> discovery;  // searched when an argument is no file
  std::vector<Candidate> candidates;
  for (const std::string& argument : arguments) {
    // "ema.so" may also be the label of a library without an id.
    if (names_a_file(argument) && file_identity(argument)) {
      candidates.push_back(examine(argument));
      continue;
    }
    if (!discovery) discovery = discover(options);
    if (const Candidate* candidate = find_in(*discovery, argument)) {
      candidates.push_back(*candidate);
    } else if (names_a_file(argument)) {
      candidates.push_back(examine(argument));  // throws that there is no such file
    } else {
      throw unknown_plugin(argument, labels(*discovery));
    }
  }
  return candidates;
}

Candidate find_candidate(const std::string& argument, const DiscoveryOptions& options) {
  return std::move(find_candidates({argument}, options).front());
}

Inspection inspect_plugin(const std::string& argument, const DiscoveryOptions& options) {
  const EnabledPlugins enabled = read_enabled(options.directories);
  const Store store(options.directories);
  Inspection inspection;
  const EnabledPlugin* record = enabled.find(argument);
  std::string command = "grapnel plugin enable " + argument;
  try {
    inspection = inspect_candidate(find_candidate(argument, options));
  } catch (const PluginError&) {
    if (record == nullptr) throw;
    const Origin origin = look_at_origin(*record, discover(options));
    if (origin.found) command = enable_command(*origin.found);
    inspection =
        origin.found ? inspect_candidate(*origin.found) : inspect_copy(*record, store, origin);
  }
  if (inspection.manifest) record = enabled.find(inspection.manifest->id);
  const Suspicions suspicions(options.directories);
  if (record != nullptr) {
    inspection.enabled_at = record->enabled_at;
    inspection.enabled_version = record->version;
    if (record->digest == inspection.digest) {
      if (inspection.state == PluginState::disabled) inspection.state = PluginState::enabled;
    } else if (inspection.state == PluginState::disabled) {
      inspection.state = PluginState::update_waits;
      inspection.note =
          fmt::format("version {} is in use; to use this one: {}", record->version, command);
    }
    judge_enabled(inspection, *record, store, suspicions);
  }
  if (!inspection.digest.empty()) {
    inspection.probe = recorded_probe(inspection.digest, options.directories);
  }
  return inspection;
}

ConfigValue to_json(const Inspection& inspection) {
  ConfigValue root = grapnel::to_json(inspection);
  if (inspection.manifest) set_manifest(root, *inspection.manifest);
  root.set("library", inspection.facts ? to_json(*inspection.facts) : ConfigValue());
  root.set("probe", inspection.probe ? to_json(*inspection.probe) : ConfigValue());
  return root;
}

}  // namespace grapnel::host
