// Names of what an instance logs and writes: those of an instance with a label carry it, so that two
// instances don't share them.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include <grapnel/plugin.hpp>

namespace instance {

/// "load", or "load_<label>".
inline std::string named(std::string_view name, std::string_view label) {
  std::string made(name);
  if (!label.empty()) made.append("_").append(label);
  return made;
}

/// Refuses a label that can't be part of a file's name on every system.
inline void check_for_files(std::string_view label) {
  const bool is_plain = std::none_of(label.begin(), label.end(), [](unsigned char c) {
    return c < 0x20 ||
           std::string_view("/\\:*?\"<>|").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (is_plain) return;
  throw grapnel::plugin::Error(
      "the label '" + std::string(label) +
      "' becomes part of the names of files: leave out / \\ : * ? \" < > | "
      "and control characters");
}

}  // namespace instance
