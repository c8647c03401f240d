// Loads a selected plugin's library into this process and gives access to its factories.
//
// The store's copy is hashed again and its manifest's requirements are checked against this host;
// only then is it loaded (Boost.DLL, symbols resolved immediately and kept local) and its entry
// compared with the manifest. It is never unloaded: static destructors, thread locals and
// exceptions in flight make that unsafe. Loading the same plugin again returns the same object; the
// same id with another digest needs a new process.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/abi.h>
#include <grapnel/host/manifest.h>
#include <grapnel/host/selection.h>

namespace grapnel::host {

// A library that is loaded, its entry checked against its manifest. Lives as long as the process.
class LoadedPlugin {
 public:
  [[nodiscard]] const Manifest& manifest() const noexcept { return *manifest_; }
  [[nodiscard]] const std::string& digest() const noexcept { return digest_; }
  [[nodiscard]] const std::filesystem::path& library() const noexcept { return library_; }
  [[nodiscard]] const grapnel_plugin& entry() const noexcept { return *entry_; }
  // The factory of a callback that the manifest names; nullptr for any other name.
  [[nodiscard]] const grapnel_factory* factory(std::string_view callback) const noexcept;
  // Whether it can call LibTorch by itself (may_reach_libtorch()).
  [[nodiscard]] bool links_libtorch() const noexcept { return links_libtorch_; }
  // What its constructors changed in this process (process_state.h), one sentence part each:
  // "the handler of SIGINT". All of it has been undone.
  [[nodiscard]] const std::vector<std::string>& changed() const noexcept { return changed_; }

 private:
  friend const LoadedPlugin& load_plugin(const SelectedPlugin& plugin);
  LoadedPlugin(const SelectedPlugin& plugin, const grapnel_plugin* entry,
               std::vector<std::string> changed);

  std::shared_ptr<const Manifest> manifest_;
  std::string digest_;
  std::filesystem::path library_;
  const grapnel_plugin* entry_;
  bool links_libtorch_ = false;
  std::vector<std::string> changed_;
};

// PluginError that says what was found and what is accepted. Not thread-safe: call it on the thread
// that trains.
const LoadedPlugin& load_plugin(const SelectedPlugin& plugin);

}  // namespace grapnel::host
