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

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/base/platform.h>
#include <grapnel/host/discovery.h>
#include <grapnel/host/trust.h>

namespace grapnel::host {

struct StoredFile {
  std::filesystem::path path;
  std::string digest;       // SHA-256, 64 hexadecimal digits
  bool was_intact = false;  // the store had it before, and nothing was written
};

class Store {
 public:
  // `directory` is created (0700) by the first put. Symbolic links in its path are resolved here.
  explicit Store(std::filesystem::path directory);
  // The user's: <data>/store.
  explicit Store(const HostDirectories& directories);

  // As those of StoreWriter, each with a wait for the disk.
  [[nodiscard]] StoredFile put_library(const Candidate& candidate) const;
  [[nodiscard]] StoredFile put_text(std::string_view text, std::string_view name) const;
  // Creates the directory and a file in it, which is removed. IoError when that can't be done,
  // PluginError when others could change the store's files.
  void require_writable() const;

  // The path for this digest and original name; the file need not exist. Both may come from a file:
  // std::invalid_argument unless they are a digest and a plain file name.
  [[nodiscard]] std::filesystem::path path_of(std::string_view digest, std::string_view name) const;
  [[nodiscard]] bool holds(std::string_view digest, std::string_view name) const;

  // Records that a run uses this copy. Failing is not an error: the copy may be removed sooner.
  void note_use(std::string_view digest, std::string_view name) const;
  // Removes copies that were not used for 30 days, except those with one of these digests, and what
  // a killed program left incomplete. Files that can't be removed stay; nothing is removed while
  // another program stores a copy.
  void remove_unused(const std::vector<std::string>& enabled_digests) const;

  [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }

 private:
  friend class StoreWriter;
  void prepare() const;
  // Next to the store, which contains only copies.
  [[nodiscard]] std::filesystem::path lock_file() const;
  std::filesystem::path directory_;
};

// When what was stored is on the disk.
enum class StoreSync : std::uint8_t {
  each,    // when the call returns that stored it
  at_end,  // when finish() returns: for many files, with one wait for all of them
  never,   // whenever the system likes: for copies that don't outlive the process
};

// Puts files into a store. As long as it lives no other program removes files there.
class StoreWriter {
 public:
  // Creates the directory. IoError; PluginError when others could change its files.
  explicit StoreWriter(const Store& store, StoreSync sync = StoreSync::each);

  // Stores a copy of a candidate's library. PluginError when the file changed since it was
  // examined; IoError.
  [[nodiscard]] StoredFile put_library(const Candidate& candidate);
  // Stores a text (a manifest) under its digest and this name. IoError.
  [[nodiscard]] StoredFile put_text(std::string_view text, std::string_view name);
  // After the last put; a record may name the files then. IoError.
  void finish();

 private:
  StoredFile keep(File copy, std::string digest, std::string_view name);

  const Store& store_;
  StoreSync sync_;
  bool wrote_ = false;  // since the last wait for the disk
  TrustChecker trust_;
  FileLock lock_;
};

// Reads a stored file at its path_of() and checks it. Why it must not be used, as the end of a
// sentence: "its copy '...' is missing", "its copy '...' was changed: ..."; empty when it is intact
// and only this user could have written it. `trust` remembers directories from call to call.
[[nodiscard]] std::string stored_file_damage(const std::filesystem::path& file,
                                             std::string_view digest, TrustChecker& trust);
[[nodiscard]] std::string stored_file_damage(const std::filesystem::path& file,
                                             std::string_view digest);

// True for 64 lower-case hexadecimal digits.
[[nodiscard]] bool is_digest(std::string_view text) noexcept;
// True for a file's name without a directory, at most 180 bytes, that a store can keep.
[[nodiscard]] bool is_plain_name(std::string_view name);

}  // namespace grapnel::host
