// Checks that nobody else could have put code into a file, before Grapnel takes a plugin from it.
//
// A plugin runs with the user's rights, so its file and every directory above it must belong to
// this user or the administrator and must not be writable by anyone else. A directory with the
// sticky bit (/tmp) counts as not writable: others can't replace files in it. Write access for a
// group is accepted when the user is its only member and it has the user's name, the default of
// some distributions. Symbolic links are resolved first, and what they point to is checked.
#pragma once

#include <filesystem>
#include <string>
#include <unordered_map>

#include <grapnel/base/platform.h>

namespace grapnel::host {

// Caches directories, so that a directory of a thousand plugins is checked once.
class TrustChecker {
 public:
  // Why the file must not be loaded and what to do about it; empty when it may be loaded.
  // `file` must be absolute and resolved (real_path()).
  [[nodiscard]] std::string refusal(const std::filesystem::path& file);
  // The same for a file whose identity (links not followed) is known.
  [[nodiscard]] std::string refusal(const std::filesystem::path& file,
                                    const FileIdentity& identity);
  // The same for a directory and all above it.
  [[nodiscard]] std::string directory_refusal(const std::filesystem::path& directory);

 private:
  std::unordered_map<std::string, std::string> directories_;
};

}  // namespace grapnel::host
