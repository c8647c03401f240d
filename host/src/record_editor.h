// Puts plugins into the record of enabled ones, a thousand at a time.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <grapnel/host/enabled.h>
#include <grapnel/host/enabling.h>
#include <grapnel/host/manifest.h>

namespace grapnel::host {

// What a plugin's copies in the store were before: true when one was missing, or damaged.
struct WrittenCopies {
  bool library = false;
  bool manifest = false;
};

class RecordEditor {
 public:
  // As long as it lives, nothing else changes the record.
  RecordEditor(EnabledPlugins& enabled, Replace replace);

  // Puts result.plugin in the place of the plugin with its id, of those whose ids the manifest calls
  // former ones, or at the end, and fills in the rest of the result. PluginError, and nothing is
  // changed, when it would replace one of another id without Replace::yes.
  void put(const Manifest& manifest, const WrittenCopies& wrote, EnableResult& result);

 private:
  void find_places();
  // Of the plugin and those whose ids it calls former ones of its own, ascending.
  [[nodiscard]] std::vector<std::size_t> places_of(const Manifest& manifest) const;

  EnabledPlugins& enabled_;
  Replace replace_;
  std::unordered_set<std::string> disabled_;
  std::unordered_map<std::string, std::size_t> places_;  // in the record, by id
};

}  // namespace grapnel::host
