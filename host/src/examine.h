// One file of the search path looked at: the part of discovery that opens files.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include <grapnel/base/platform.h>
#include <grapnel/host/discovery.h>

namespace grapnel::host {

// What the bytes of the files say: a candidate without origin, trust and shadowing.
struct Examined {
  Candidate candidate{};
  bool is_cacheable = true;  // false: the bytes may become others without a changed identity
};

// A library without a manifest beside it. `file` is resolved and a regular file.
[[nodiscard]] Examined examine_library(const std::filesystem::path& file,
                                       const FileIdentity& identity);
// A NAME.grapnel.json and the library that it names. `file` is resolved and a regular file.
[[nodiscard]] Examined examine_manifest(const std::filesystem::path& file,
                                        const FileIdentity& identity);

// True for NAME.grapnel.json.
[[nodiscard]] bool is_manifest_name(std::string_view file_name) noexcept;

// The manifest beside a library that names it; empty when there is none.
[[nodiscard]] std::filesystem::path manifest_beside(const std::filesystem::path& library);

}  // namespace grapnel::host
