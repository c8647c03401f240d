#include "record_editor.h"

#include <fmt/format.h>

#include <algorithm>

#include <grapnel/base/error.h>

namespace grapnel::host {
namespace {

// Its settings and its states in checkpoints would go to the new plugin.
[[noreturn]] void refuse_to_replace(const Manifest& manifest, const EnabledPlugin& other) {
  throw PluginError(
      fmt::format(
          "plugin '{}' {} was not enabled: it says that '{}' is a former id of its own, and "
          "plugin {} is enabled under that id; to put it in that place, settings and states "
          "included: grapnel plugin enable --replace {}, or --replace with its file",
          manifest.id, manifest.version, other.id, other.describe(), manifest.id),
      {manifest.id, manifest.version, {}, {}});
}

}  // namespace

RecordEditor::RecordEditor(EnabledPlugins& enabled, Replace replace)
    : enabled_(enabled),
      replace_(replace),
      disabled_(enabled.disabled.begin(), enabled.disabled.end()) {
  find_places();
}

void RecordEditor::put(const Manifest& manifest, const WrittenCopies& wrote, EnableResult& result) {
  const std::vector<std::size_t> places = places_of(manifest);
  for (const std::size_t place : places) {
    const EnabledPlugin& other = enabled_.plugins[place];
    if (other.id == manifest.id) continue;
    if (replace_ == Replace::no) refuse_to_replace(manifest, other);
    result.replaced.push_back(other.describe());
  }
  if (disabled_.erase(manifest.id) > 0) std::erase(enabled_.disabled, manifest.id);
  if (places.empty()) {
    places_.emplace(manifest.id, enabled_.plugins.size());
    enabled_.plugins.push_back(result.plugin);
    return;
  }
  EnabledPlugin& old = enabled_.plugins[places.front()];
  const bool is_same = old.id == manifest.id && old.digest == result.plugin.digest &&
                       old.manifest_digest == result.plugin.manifest_digest;
  // The same bytes from a file of another name are a new copy, and nothing was wrong with the old.
  const bool was_damaged = wrote.manifest || (wrote.library && old.file == result.plugin.file);
  result.action = !is_same      ? EnableResult::Action::updated
                  : was_damaged ? EnableResult::Action::repaired
                                : EnableResult::Action::unchanged;
  result.previous_version = old.version;
  if (is_same) result.plugin.enabled_at = old.enabled_at;
  old = result.plugin;
  // A plugin that was enabled under two of its names is recorded once.
  for (std::size_t i = places.size(); i-- > 1;) {
    enabled_.plugins.erase(enabled_.plugins.begin() + static_cast<std::ptrdiff_t>(places[i]));
  }
  if (!result.replaced.empty()) find_places();
}

void RecordEditor::find_places() {
  places_.clear();
  for (std::size_t i = 0; i < enabled_.plugins.size(); ++i) {
    places_.emplace(enabled_.plugins[i].id, i);
  }
}

std::vector<std::size_t> RecordEditor::places_of(const Manifest& manifest) const {
  std::vector<std::size_t> places;
  const auto add = [&](const std::string& id) {
    if (const auto place = places_.find(id); place != places_.end()) {
      places.push_back(place->second);
    }
  };
  add(manifest.id);
  for (const std::string& alias : manifest.aliases) add(alias);
  std::ranges::sort(places);
  places.erase(std::ranges::unique(places).begin(), places.end());
  return places;
}

}  // namespace grapnel::host
