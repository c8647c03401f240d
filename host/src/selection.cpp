#include <grapnel/host/selection.h>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <grapnel/base/error.h>
#include <grapnel/base/platform.h>
#include <grapnel/base/text.h>
#include <grapnel/host/enabled.h>
#include <grapnel/host/library_file.h>
#include <grapnel/host/order.h>
#include <grapnel/host/store.h>

#include "copied_manifest.h"
#include "enabled_file.h"
#include "examine.h"
#include "origin.h"
#include "unwritable_home.h"

namespace grapnel::host {
namespace {

constexpr std::string_view environment_name = "GRAPNEL_PLUGINS";

std::vector<std::string> split_ids(std::string_view list) {
  std::vector<std::string> ids;
  while (true) {
    const std::size_t comma = list.find(',');
    std::string_view id = list.substr(0, comma);
    while (id.starts_with(' ')) id.remove_prefix(1);
    while (id.ends_with(' ')) id.remove_suffix(1);
    if (!id.empty()) ids.emplace_back(id);
    if (comma == std::string_view::npos) return ids;
    list.remove_prefix(comma + 1);
  }
}

class Selector {
 public:
  explicit Selector(const SelectionOptions& options)
      : options_(options),
        directories_(options.discovery.directories),
        store_(directories_),
        mode_(options.environment
                  ? *options.environment
                  : environment_variable(std::string(environment_name)).value_or("")) {
    // A user who wants no plugins is not stopped by a broken plugin or record.
    if (mode_ == "none" && !names_an_id()) return;
    discovery_ = discover(options.discovery);
    enabled_ = read_enabled(directories_);
    for (const EnabledPlugin& plugin : enabled_.plugins) enabled_by_id_.emplace(plugin.id, &plugin);
    disabled_.insert(enabled_.disabled.begin(), enabled_.disabled.end());
    knows_record_ = true;
  }

  PluginSelection select() {
    for (const std::string& argument : options_.plugins) {
      if (names_a_file(argument)) files_.push_back({argument, examine(argument)});
    }
    resolve_excluded();
    // Files first: a plugin named by its file replaces the enabled one with its id.
    for (const auto& [argument, candidate] : files_) {
      add_candidate(candidate, "--plugin " + argument);
    }
    if (mode_.empty()) {
      add_enabled("enabled");
      if (enabled_.trust_all_drop_ins) add_drop_ins("trust_all_drop_ins", Disabled::left_out);
    } else if (mode_ == "all") {
      add_enabled("enabled");
      add_drop_ins("GRAPNEL_PLUGINS=all", Disabled::included);
    } else if (mode_ != "none") {
      for (const std::string& id : split_ids(mode_)) add_id(id, "GRAPNEL_PLUGINS=" + mode_);
    }
    for (const std::string& argument : options_.plugins) {
      if (!names_a_file(argument)) add_id(argument, "--plugin " + argument);
    }
    for (const SelectedPlugin& plugin : selected_) check_runs(plugin);
    settle_former_ids();
    if (mode_.empty()) add_notices();
    if (mode_ == "all") add_project_notices();
    return {.plugins = in_order(),
            .notices = std::move(notices_),
            .private_copies = std::move(private_copies_)};
  }

 private:
  [[nodiscard]] bool names_an_id() const {
    return !options_.no_plugins.empty() || !std::ranges::all_of(options_.plugins, names_a_file);
  }

  // Those of the search path, and those that --plugin names by their files.
  std::vector<const Candidate*> all_candidates() const {
    std::vector<const Candidate*> candidates;
    for (const Candidate& candidate : discovery_.candidates) candidates.push_back(&candidate);
    for (const auto& [argument, candidate] : files_) candidates.push_back(&candidate);
    return candidates;
  }

  // Maps the ids of --no-plugin to current ids.
  void resolve_excluded() {
    for (const std::string& id : options_.no_plugins) {
      const std::vector<std::string> meant = current_ids(id);
      if (meant.empty()) throw unknown_plugin(id, known_ids());
      excluded_.insert(excluded_.end(), meant.begin(), meant.end());
    }
  }

  // The id itself if a plugin has it, else the ids of plugins that formerly had it.
  std::vector<std::string> current_ids(const std::string& id) const {
    const auto has_id = [&](const Candidate* c) { return c->label() == id; };
    const std::vector<const Candidate*> candidates = all_candidates();
    if (find_enabled(id) != nullptr || std::ranges::any_of(candidates, has_id)) return {id};
    std::vector<std::string> ids;
    for (const Candidate* candidate : candidates) {
      if (holds(candidate->summary.aliases, id)) ids.push_back(candidate->summary.id);
    }
    for (const EnabledPlugin& plugin : enabled_.plugins) {
      if (holds(aliases_of_copy(plugin), id)) ids.push_back(plugin.id);
    }
    return ids;
  }

  std::vector<std::string> aliases_of_copy(const EnabledPlugin& plugin) const {
    try {
      return read_enabled_manifest(plugin, store_)->aliases;
    } catch (const Error&) {
      return {};  // damaged: reported where the plugin is used; --no-plugin accepts its id
    }
  }

  std::vector<std::string> known_ids() const {
    std::vector<std::string> ids;
    for (const EnabledPlugin& plugin : enabled_.plugins) ids.push_back(plugin.id);
    for (const Candidate* candidate : all_candidates()) {
      ids.push_back(candidate->label());
      ids.insert(ids.end(), candidate->summary.aliases.begin(), candidate->summary.aliases.end());
    }
    return ids;
  }

  static bool holds(const std::vector<std::string>& ids, std::string_view id) {
    return std::ranges::find(ids, id) != ids.end();
  }
  bool is_excluded(std::string_view id) const { return holds(excluded_, id); }
  bool is_selected(const std::string& id) const { return selected_ids_.contains(id); }
  bool is_disabled(const std::string& id) const { return disabled_.contains(id); }
  const EnabledPlugin* find_enabled(const std::string& id) const {
    const auto known = enabled_by_id_.find(id);
    return known == enabled_by_id_.end() ? nullptr : known->second;
  }

  void add(SelectedPlugin plugin) {
    if (is_excluded(plugin.manifest->id) || is_selected(plugin.manifest->id)) return;
    selected_ids_.insert(plugin.manifest->id);
    selected_.push_back(std::move(plugin));
  }

  void add_pinned(const EnabledPlugin& plugin, const std::string& reason) {
    if (is_excluded(plugin.id)) return;  // so that a damaged plugin can be excluded
    store_.note_use(plugin.digest, plugin.file);
    store_.note_use(plugin.manifest_digest, stored_manifest_name);
    add({.manifest = read_enabled_manifest(plugin, store_),
         .library = store_.path_of(plugin.digest, plugin.file),
         .digest = plugin.digest,
         .origin = plugin.origin,
         .reason = reason,
         .order_reason = {}});
  }

  // The user's, where it can be written.
  const Store& store_for_copies() {
    if (copies_) return *copies_;
    try {
      store_.require_writable();
      copies_ = store_;
      if (knows_record_) store_.remove_unused(enabled_.digests());
    } catch (const IoError& error) {
      private_copies_ = directory_for_this_run(error, store_.directory(), "XDG_DATA_HOME");
      copies_.emplace(private_copies_->path() / "store");
    }
    return *copies_;
  }

  // A plugin trusted for this run only: copied into the store, not recorded.
  void add_candidate(const Candidate& candidate, const std::string& reason) {
    if (is_excluded(candidate.summary.id) || is_selected(candidate.summary.id)) return;
    if (!candidate.refused.empty()) {
      throw PluginError(
          fmt::format("cannot use plugin {}: {}", candidate.describe(), candidate.refused),
          {candidate.summary.id, candidate.summary.version, {}, {}});
    }
    const StoredFile copy = store_for_copies().put_library(candidate);
    add({.manifest = manifest_of_copy(candidate, copy),
         .library = copy.path,
         .digest = copy.digest,
         .origin = candidate.library,
         .reason = reason,
         .order_reason = {}});
  }

  void add_enabled(const std::string& reason) {
    for (const EnabledPlugin& plugin : enabled_.plugins) add_pinned(plugin, reason);
  }

  enum class Disabled : std::uint8_t { left_out, included };

  void add_drop_ins(const std::string& reason, Disabled disabled) {
    for (const Candidate& candidate : discovery_.candidates) {
      if (!candidate.refused.empty()) {
        notices_.push_back(
            fmt::format("plugin {} is skipped: {}", candidate.describe(), candidate.refused));
      }
    }
    for (const Candidate* candidate : discovery_.drop_ins()) {
      if (disabled == Disabled::included || !is_disabled(candidate->summary.id)) {
        add_candidate(*candidate, reason);
      }
    }
  }

  void add_id(const std::string& id, const std::string& reason) {
    if (is_selected(id)) return;
    if (const EnabledPlugin* plugin = find_enabled(id)) return add_pinned(*plugin, reason);
    if (const Candidate* candidate = discovery_.find(id)) {
      // Named by a former id: the enabled plugin with the new id counts.
      if (const EnabledPlugin* plugin = find_enabled(candidate->summary.id)) {
        return add_pinned(*plugin, reason);
      }
      return add_candidate(*candidate, reason);
    }
    for (const Candidate& candidate : discovery_.candidates) {
      if (candidate.label() == id) return add_candidate(candidate, reason);  // throws the reason
    }
    for (const EnabledPlugin& plugin : enabled_.plugins) {
      if (holds(aliases_of_copy(plugin), id)) return add_pinned(plugin, reason);
    }
    throw unknown_plugin(id, known_ids());
  }

  // A former id that another plugin has, or calls its own too, is nobody's former id: settings and
  // states in checkpoints under it would go to the wrong one.
  void settle_former_ids() {
    std::map<std::string, int>
        claims;  // copies: a plugin whose ids are taken away gets a new manifest
    for (const SelectedPlugin& plugin : selected_) {
      for (const std::string& id : plugin.manifest->aliases) ++claims[id];
    }
    for (SelectedPlugin& plugin : selected_) {
      const std::shared_ptr<const Manifest> whole = plugin.manifest;
      const auto is_foreign = [&](const std::string& id) {
        return id != whole->id &&
               (claims[id] > 1 || is_selected(id) || find_enabled(id) != nullptr);
      };
      std::vector<std::string> foreign;
      std::ranges::copy_if(whole->aliases, std::back_inserter(foreign), is_foreign);
      if (foreign.empty()) continue;
      auto manifest = std::make_shared<Manifest>(*whole);
      std::erase_if(manifest->aliases, [&](const std::string& id) { return holds(foreign, id); });
      notices_.push_back(fmt::format(
          "plugin '{}' calls {} a former id of its own, but another plugin has it, too; settings and "
          "states of that id are not given to it",
          manifest->id, join_quoted(foreign, "and")));
      plugin.manifest = std::move(manifest);
    }
  }

  void check_runs(const SelectedPlugin& plugin) const {
    const Manifest& manifest = *plugin.manifest;
    const std::string reason = incompatibility(manifest);
    if (reason.empty()) return;
    throw PluginError(
        fmt::format("cannot use plugin '{}' {} ({}): {}; or disable it: grapnel plugin disable {}",
                    manifest.id, manifest.version, printable(plugin.origin.string()), reason,
                    manifest.id),
        {manifest.id, manifest.version, {}, {}});
  }

  void add_project_notices() {
    for (const Candidate& candidate : discovery_.candidates) {
      const std::string& id = candidate.summary.id;
      if (candidate.origin != SearchOrigin::project || !candidate.usable() || is_selected(id) ||
          is_excluded(id) || is_disabled(id)) {
        continue;
      }
      notices_.push_back(
          fmt::format("plugin {} is skipped: plugins of a project need your "
                      "consent; to use it: --plugin {}, or grapnel plugin enable {}",
                      candidate.describe(), id, id));
    }
  }

  void add_notices() {
    for (const Candidate& candidate : discovery_.candidates) {
      const std::string& id = candidate.summary.id;
      if (!candidate.usable() || is_selected(id) || is_excluded(id) || is_disabled(id) ||
          find_enabled(id) != nullptr) {
        continue;
      }
      notices_.push_back(
          fmt::format("plugin {} is not enabled; to use it: grapnel plugin "
                      "enable {}; to silence this: grapnel plugin disable {}",
                      candidate.describe(), id, id));
    }
    for (const EnabledPlugin& plugin : enabled_.plugins) {
      const Origin origin = look_at_origin(plugin, discovery_);
      if (origin.state == Origin::State::gone) {
        notices_.push_back(
            fmt::format("plugin {} runs from its copy, because its file is "
                        "gone; to stop using it: grapnel plugin disable {}",
                        plugin.describe(), plugin.id));
      } else if (origin.state == Origin::State::unreachable) {
        notices_.push_back(
            fmt::format("plugin {} runs from its copy; cannot check for an update: {}",
                        plugin.describe(), origin.failure));
      } else if (origin.state == Origin::State::changed && origin.found->refused.empty()) {
        notices_.push_back(fmt::format("plugin {} has an update to {} in {}; to use it: {}",
                                       plugin.describe(), printable(origin.found->summary.version),
                                       quote(origin.found->library.string()),
                                       enable_command(*origin.found)));
      }
    }
  }

  std::vector<SelectedPlugin> in_order() {
    std::vector<OrderedItem> items;
    for (const SelectedPlugin& plugin : selected_) {
      const Manifest& manifest = *plugin.manifest;
      items.push_back({manifest.id, manifest.aliases, manifest.before, manifest.after});
    }
    std::vector<SelectedPlugin> ordered;
    for (const OrderedPlace& place : plugin_order(items)) {
      ordered.push_back(std::move(selected_[place.index]));
      ordered.back().order_reason = place.reason;
    }
    return ordered;
  }

  const SelectionOptions& options_;
  const HostDirectories& directories_;
  const Store store_;
  std::optional<Store> copies_;  // the store, or a private one; empty: nothing was copied yet
  std::shared_ptr<const TemporaryDirectory> private_copies_;
  std::string mode_;  // of GRAPNEL_PLUGINS; empty: the enabled plugins
  Discovery discovery_;
  EnabledPlugins enabled_;
  std::unordered_map<std::string, const EnabledPlugin*> enabled_by_id_;
  std::unordered_set<std::string> disabled_;
  bool knows_record_ = false;                             // false: enabled_ is not set
  std::vector<std::pair<std::string, Candidate>> files_;  // arguments of --plugin
  std::vector<std::string> excluded_;
  std::vector<SelectedPlugin> selected_;
  std::unordered_set<std::string> selected_ids_;
  std::vector<std::string> notices_;
};

}  // namespace

PluginSelection select_plugins(const SelectionOptions& options) {
  return Selector(options).select();
}

bool names_a_file(std::string_view argument) noexcept {
  return argument.find_first_of("/\\") != std::string_view::npos || is_library_name(argument) ||
         is_manifest_name(argument);
}

PluginError unknown_plugin(std::string_view id, std::vector<std::string> known) {
  return {
      fmt::format("there is no plugin {}; see 'grapnel plugin list' and 'grapnel plugin path'{}",
                  quote(id), did_you_mean(id, known)),
      {std::string(id), {}, {}, {}}};
}

}  // namespace grapnel::host
