// Text of unknown bytes, and paths, as the UTF-8 that files, manifests and plugins are promised.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <grapnel/base/export.h>

namespace grapnel {

// The path in UTF-8 on every platform; path::string() would be in the code page of the user on
// Windows. Elsewhere the path's own bytes, which need not be UTF-8: pass it through to_utf8() where
// that is promised.
[[nodiscard]] GRAPNEL_BASE_API std::string path_text(const std::filesystem::path& path);

// The text with U+FFFD in the place of each byte that belongs to no well-formed UTF-8, and otherwise
// as it is. For what is handed on; printable() is for what people read.
[[nodiscard]] GRAPNEL_BASE_API std::string to_utf8(std::string_view text);

}  // namespace grapnel
