// Who else could have put code into a file: the check before Grapnel takes a plugin from a path.
//
// A plugin runs with the rights of whoever trains, so its file and every directory above it must
// belong to this user or the administrator and must not be writable by anybody else. A directory
// with the sticky bit (/tmp) counts as not writable: others can't replace what is in it. So does a
// group that is the user's own (same name, nobody else in it), which some distributions make the
// default. Symbolic links are resolved first, and what they point to is checked.
#pragma once

#include <filesystem>
#include <string>
#include <unordered_map>

#include <grapnel/base/platform.h>

namespace grapnel::host {

// Remembers directories it has seen, so that a directory of a thousand plugins costs one walk.
class TrustChecker {
 public:
  // Why the file must not be loaded, as a sentence that says what to do; empty when it may.
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
