// The private copies that plugins are loaded from: files named by their SHA-256, in a directory
// that only this user can access.
//
// Changes to the original file do not affect the copy. Its name contains its digest, which is
// verified each time before it is loaded. The digest is computed from the bytes being copied, so
// the bytes that were examined are the bytes that are stored.
//
// A copy's modification time is the day of its last use. Copies that are not enabled and were not
// used for 30 days are removed, so that builds that were tried once don't fill the disk.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/host/discovery.h>

namespace grapnel::host {

struct StoredFile {
  std::filesystem::path path;
  std::string digest;  // SHA-256, 64 hexadecimal digits
};

class Store {
 public:
  // `directory` is created (0700) by the first put. Symbolic links in its path are resolved here.
  explicit Store(std::filesystem::path directory);
  // The user's: <data>/store.
  explicit Store(const HostDirectories& directories);

  // Stores a copy of a candidate's library. PluginError when the file changed since it was
  // examined; IoError.
  [[nodiscard]] StoredFile put_library(const Candidate& candidate);
  // Stores a text (a manifest) under its digest and this name. IoError.
  [[nodiscard]] StoredFile put_text(std::string_view text, std::string_view name);

  // The path for this digest and original name; the file need not exist. Both may come from a file:
  // std::invalid_argument unless they are a digest and a plain file name.
  [[nodiscard]] std::filesystem::path path_of(std::string_view digest, std::string_view name) const;
  [[nodiscard]] bool holds(std::string_view digest, std::string_view name) const;

  // Records that a run uses this copy. Failing is not an error: the copy may be removed sooner.
  void note_use(std::string_view digest, std::string_view name) const;
  // Removes copies that were not used for 30 days, except those with one of these digests, and
  // files that a killed program left incomplete. Files that can't be removed stay; nothing is
  // removed while another program stores a copy.
  void remove_unused(const std::vector<std::string>& enabled_digests) const;

  [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }

 private:
  void prepare() const;
  // Next to the store, which contains only copies.
  [[nodiscard]] std::filesystem::path lock_file() const;
  StoredFile keep(const std::filesystem::path& copy, std::string digest, std::string_view name);
  std::filesystem::path directory_;
};

// Reads a stored file at its path_of() and checks it. Why it must not be used, as the end of a
// sentence: "its copy '...' is missing", "its copy '...' was changed: ..."; empty when it is intact
// and only this user could have written it.
[[nodiscard]] std::string stored_file_damage(const std::filesystem::path& file,
                                             std::string_view digest);

// True for 64 lower-case hexadecimal digits.
[[nodiscard]] bool is_digest(std::string_view text) noexcept;
// True for a file's name without a directory, at most 180 bytes, that a store can keep.
[[nodiscard]] bool is_plain_name(std::string_view name);

}  // namespace grapnel::host
