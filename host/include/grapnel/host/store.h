// The private copies that plugins are loaded from: files named by their SHA-256, in a directory that
// only this user can use.
//
// Whatever happens to the file that was enabled, the copy stays as it was; its name says what must be
// in it, and it is verified again each time before it is loaded. Hashing happens on the bytes being
// copied, so what was looked at is what is kept.
//
// A copy's time of modification is that of its last use, to the day. What nobody has enabled or used
// for 30 days goes, so that builds which were tried out once don't fill the disk.
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
  // `directory` is made (0700) by the first put. Symbolic links in its path are resolved here.
  explicit Store(std::filesystem::path directory);
  // The user's: <data>/store.
  explicit Store(const HostDirectories& directories);

  // Copies a candidate's library in. PluginError when it is not the file any more that was examined;
  // IoError.
  [[nodiscard]] StoredFile put_library(const Candidate& candidate);
  // Keeps a text (a manifest) under its digest and this name. IoError.
  [[nodiscard]] StoredFile put_text(std::string_view text, std::string_view name);

  // Where the file with this digest and original name lies, whether it is there or not. Both may
  // come from a file: std::invalid_argument unless they are a digest and a plain file name.
  [[nodiscard]] std::filesystem::path path_of(std::string_view digest, std::string_view name) const;
  [[nodiscard]] bool holds(std::string_view digest, std::string_view name) const;

  // Says that a run uses this copy. Failing is no error: the copy may go sooner.
  void note_use(std::string_view digest, std::string_view name) const;
  // Removes copies that were not used for 30 days, but for those with one of these digests, and what
  // a program that was killed left half written. What can't be removed stays; nothing is removed
  // while another program puts something in.
  void remove_unused(const std::vector<std::string>& enabled_digests) const;

  [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }

 private:
  void prepare() const;
  // Beside the store, which holds nothing but copies.
  [[nodiscard]] std::filesystem::path lock_file() const;
  StoredFile keep(const std::filesystem::path& copy, std::string digest, std::string_view name);
  std::filesystem::path directory_;
};

// Reads a stored file again, at its path_of(). Why it must not be used, as the end of a sentence: "it is missing", "it
// was changed: ..."; empty when it is whole and only this user could have written it.
[[nodiscard]] std::string stored_file_damage(const std::filesystem::path& file,
                                             std::string_view digest);

// True for 64 lower-case hexadecimal digits.
[[nodiscard]] bool is_digest(std::string_view text) noexcept;
// True for a file's name without a directory, at most 180 bytes, that a store can keep.
[[nodiscard]] bool is_plain_name(std::string_view name);

}  // namespace grapnel::host
