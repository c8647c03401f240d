// One file of the search path looked at: the part of discovery that opens files.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include <grapnel/base/platform.h>
#include <grapnel/host/discovery.h>

namespace grapnel::host {

// The facts that depend on nothing but the bytes of the files, so that they can be cached.
struct Examined {
  FileIdentity identity{};           // of the file that was found: a library or a manifest
  std::filesystem::path library{};   // resolved; where the manifest points when it is missing
  FileIdentity library_identity{};   // all zero when the library could not be found
  std::filesystem::path manifest{};  // resolved; empty when embedded
  PluginSummary summary{};
  std::string refused{};  // "it needs ABI 1.4, ..."; empty when it can be used
  bool is_cacheable = true;
};

// Looks at a library that stands for itself. `file` is resolved and a regular file.
[[nodiscard]] Examined examine_library(const std::filesystem::path& file,
                                       const FileIdentity& identity);
// Looks at a NAME.grapnel.json and the library that it names. `file` is resolved and a regular file.
[[nodiscard]] Examined examine_manifest(const std::filesystem::path& file,
                                        const FileIdentity& identity);

// True for NAME.grapnel.json.
[[nodiscard]] bool is_manifest_name(std::string_view file_name) noexcept;

// The manifest beside a library that names it; empty when there is none.
[[nodiscard]] std::filesystem::path manifest_beside(const std::filesystem::path& library);

}  // namespace grapnel::host
