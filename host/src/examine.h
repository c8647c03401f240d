// Examines one file of the search path: the part of discovery that opens files.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include <grapnel/base/platform.h>
#include <grapnel/host/discovery.h>

namespace grapnel::host {

// A candidate without origin, trust and shadowing: only what its files contain.
struct Examined {
  Candidate candidate{};
  bool is_cacheable = true;  // false: the files can change without a changed identity
};

// A library without a manifest next to it. `file` is resolved and a regular file.
[[nodiscard]] Examined examine_library(const std::filesystem::path& file,
                                       const FileIdentity& identity);
// A NAME.grapnel.json and the library that it names. `file` is resolved and a regular file.
[[nodiscard]] Examined examine_manifest(const std::filesystem::path& file,
                                        const FileIdentity& identity);

// True for NAME.grapnel.json.
[[nodiscard]] bool is_manifest_name(std::string_view file_name) noexcept;

// The manifest file next to a library; empty when there is none.
[[nodiscard]] std::filesystem::path manifest_beside(const std::filesystem::path& library);

}  // namespace grapnel::host
