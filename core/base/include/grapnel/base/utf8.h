// Converts paths and arbitrary bytes to the UTF-8 that files, manifests and plugins require.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <grapnel/base/export.h>

namespace grapnel {

// The path in UTF-8 on every platform; path::string() would be in the code page of the user on
// Windows. Elsewhere the path's own bytes, which need not be UTF-8: pass them through to_utf8()
// where UTF-8 is required.
[[nodiscard]] GRAPNEL_BASE_API std::string path_text(const std::filesystem::path& path);

// The text with each byte that is not well-formed UTF-8 replaced by U+FFFD. For data; use
// printable() for text that people read.
[[nodiscard]] GRAPNEL_BASE_API std::string to_utf8(std::string_view text);

}  // namespace grapnel
