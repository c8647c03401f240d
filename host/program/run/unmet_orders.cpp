#include "unmet_orders.h"

#include <fmt/format.h>

#include <optional>

#include <grapnel/base/text.h>
#include <grapnel/bridge/plugin_callback.h>
#include <grapnel/callbacks/registry.h>
#include <grapnel/registry.h>

namespace grapnel::program {
namespace {

// "earlystopping" of "early_stopping" and its former names, as of its class; empty: there is none.
std::string built_in_type(const std::string& name) {
  const CallbackRegistry::Entry* entry = callback_registry().find(name);
  if (entry == nullptr) entry = callback_registry().find_renamed(name);
  return entry == nullptr ? std::string() : detail::folded_name(entry->name());
}

class Places {
 public:
  explicit Places(const std::vector<CallbackHandle>& callbacks) {
    for (const CallbackHandle& handle : callbacks) {
      const auto* plugin = dynamic_cast<const bridge::PluginCallback*>(handle.callback.get());
      plugins_.push_back(plugin == nullptr ? std::string() : plugin->site().plugin);
      types_.push_back(plugin == nullptr ? detail::folded_name(handle.callback->type_name())
                                         : std::string());
    }
  }

  struct Range {
    std::size_t first;
    std::size_t last;
  };
  [[nodiscard]] std::optional<Range> of_plugin(const std::string& id) const {
    return range(plugins_, id);
  }
  [[nodiscard]] std::optional<Range> of_type(const std::string& type) const {
    return range(types_, type);
  }

 private:
  static std::optional<Range> range(const std::vector<std::string>& names,
                                    const std::string& name) {
    std::optional<Range> found;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] != name || name.empty()) continue;
      if (!found) found = Range{i, i};
      found->last = i;
    }
    return found;
  }

  // By position; each is empty where the other is not.
  std::vector<std::string> plugins_;
  std::vector<std::string> types_;
};

}  // namespace

std::vector<UnmetOrder> unmet_orders(const std::vector<CallbackHandle>& callbacks,
                                     const host::PluginSelection& selection) {
  const Places places(callbacks);
  std::vector<UnmetOrder> unmet;
  for (const host::SelectedPlugin& selected : selection.plugins) {
    const host::Manifest& manifest = *selected.manifest;
    const auto own = places.of_plugin(manifest.id);
    if (!own) continue;
    for (const std::string& name : manifest.before) {
      const auto other = places.of_type(built_in_type(name));
      if (!other || own->last < other->first) continue;
      unmet.push_back(
          {manifest.id, fmt::format("asks to come before {}, but comes after it", quote(name))});
    }
    for (const std::string& name : manifest.after) {
      const auto other = places.of_type(built_in_type(name));
      if (!other || own->first > other->last) continue;
      unmet.push_back(
          {manifest.id, fmt::format("asks to come after {}, but comes before it", quote(name))});
    }
  }
  return unmet;
}

}  // namespace grapnel::program
