#include <grapnel/host/loader.h>

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include <grapnel/base/error.h>
#include <grapnel/base/log.h>
#include <grapnel/base/text.h>
#include <grapnel/host/library_file.h>
#include <grapnel/host/plugin_code.h>
#include <grapnel/host/process_state.h>
#include <grapnel/host/store.h>

#include "entry_check.h"

namespace grapnel::host {
namespace {

// Never destroyed: a plugin's code may run until the very end of the process.
std::map<std::string, std::unique_ptr<const LoadedPlugin>>& loaded_plugins() {
  static auto* const plugins = new std::map<std::string, std::unique_ptr<const LoadedPlugin>>;
  return *plugins;
}

// Their libraries, kept for the same reason.
std::deque<boost::dll::shared_library>& loaded_libraries() {
  static auto* const libraries = new std::deque<boost::dll::shared_library>;
  return *libraries;
}

[[noreturn]] void refuse(const SelectedPlugin& plugin, const std::string& reason) {
  const Manifest& manifest = *plugin.manifest;
  throw PluginError(fmt::format("cannot load plugin '{}' {} ({}): {}", manifest.id,
                                manifest.version, printable(plugin.origin.string()), reason),
                    {manifest.id, manifest.version, {}, {}});
}

// Extracts the dynamic loader's message from Boost.DLL's: "boost::dll::shared_library::load()
// failed (dlerror system message: /path: undefined symbol: x): ..."
std::string_view loader_words(std::string_view text, std::string_view library) {
  constexpr std::string_view before = "dlerror system message: ";
  if (const std::size_t at = text.find(before); at != std::string_view::npos) {
    text.remove_prefix(at + before.size());
    text = text.substr(0, text.rfind("): "));
  }
  if (text.starts_with(library)) text.remove_prefix(library.size());
  while (text.starts_with(':') || text.starts_with(' ')) text.remove_prefix(1);
  return text;
}

// The dynamic loader's message, with advice for common cases.
std::string explain(std::string_view what, std::string_view library) {
  const std::string_view text = loader_words(what, library);
  const auto says = [&](std::string_view part) {
    return text.find(part) != std::string_view::npos;
  };
  std::string hint;
  if (says("undefined symbol")) {
    hint =
        "it needs a function that nothing here provides; link a plugin "
        "with everything it uses, as grapnel_add_plugin() does";
  } else if (says("version `GLIBC")) {
    hint =
        "it was built on a newer system than this one; build it here, or install a build for "
        "this system";
  } else if (says("failed to map segment")) {
    hint = "the store may be on a file system that is mounted noexec";
  } else if (says("cannot open shared object file")) {
    hint = "it needs a library that is not installed; install it, or link it statically";
  }
  return fmt::format("the dynamic loader refused it: {}{}{}", printable(text),
                     hint.empty() ? "" : "; ", hint);
}

const grapnel_plugin* load_entry(const SelectedPlugin& plugin) {
  boost::dll::shared_library opened;
  try {
    // The throwing overload: only the exception has the loader's message.
    opened.load(plugin.library,
                boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
  } catch (const boost::dll::fs::system_error& error) {
    refuse(plugin, explain(error.what(), plugin.library.string()));
  }
  const boost::dll::shared_library& library = loaded_libraries().emplace_back(std::move(opened));
  if (!library.has(GRAPNEL_PLUGIN_SYMBOL_NAME)) {
    refuse(plugin, "it does not export the symbol " GRAPNEL_PLUGIN_SYMBOL_NAME);
  }
  return &library.get<const grapnel_plugin>(GRAPNEL_PLUGIN_SYMBOL_NAME);
}

}  // namespace

LoadedPlugin::LoadedPlugin(const SelectedPlugin& plugin, const grapnel_plugin* entry,
                           std::vector<std::string> changed)
    : manifest_(plugin.manifest),
      digest_(plugin.digest),
      library_(plugin.library),
      entry_(entry),
      links_libtorch_(may_reach_libtorch(read_library_file(plugin.library))),
      changed_(std::move(changed)) {}

const grapnel_factory* LoadedPlugin::factory(std::string_view callback) const noexcept {
  if (manifest_->find(callback) == nullptr) return nullptr;
  return find_factory(*entry_, callback);
}

const LoadedPlugin& load_plugin(const SelectedPlugin& plugin) {
  const std::string& id = plugin.manifest->id;
  if (const auto known = loaded_plugins().find(id); known != loaded_plugins().end()) {
    const LoadedPlugin& loaded = *known->second;
    if (loaded.digest() == plugin.digest) return loaded;
    refuse(plugin, fmt::format("version {} of it is already loaded and cannot be "
                               "unloaded; load the other version in a new process",
                               loaded.manifest().version));
  }
  if (const std::string damage = stored_file_damage(plugin.library, plugin.digest);
      !damage.empty()) {
    refuse(plugin, fmt::format("{}; enable it again: grapnel plugin enable {}", damage, id));
  }
  if (const std::string reason = incompatibility(*plugin.manifest); !reason.empty()) {
    refuse(plugin, reason);
  }
  ProcessStateGuard guard;
  const grapnel_plugin* const entry = load_entry(plugin);
  note_plugin_code({id, plugin.manifest->version}, entry);
  std::vector<std::string> changed = guard.restore();
  for (const std::string& what : changed) {
    log_warning(
        "plugin '{}' changed {} while it was loaded, "
        "which plugins must not do; it was restored",
        id, what);
  }
  if (const std::string fault = entry_fault(*entry, *plugin.manifest); !fault.empty()) {
    refuse(plugin, fault);
  }
  const auto [place, is_new] = loaded_plugins().emplace(
      id, std::unique_ptr<const LoadedPlugin>(new LoadedPlugin(plugin, entry, std::move(changed))));
  return *place->second;
}

}  // namespace grapnel::host
