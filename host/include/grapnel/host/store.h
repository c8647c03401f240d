// The private copies that plugins are loaded from: files named by their SHA-256, in a directory
// that only this user can use.
//
// Whatever happens to the file that was enabled, the copy stays as it was; its name says what must
// be in it, and it is verified again each time before it is loaded. Hashing happens on the bytes
// being copied, so what was looked at is what is kept.
#pragma once

#include <filesystem>
#include <string>

#include <grapnel/host/discovery.h>

namespace grapnel::host {

struct StoredFile {
  std::filesystem::path path;
  std::string digest;  // SHA-256, 64 hexadecimal digits
};

class Store {
 public:
  // `directory` is made (0700) by the first put.
  explicit Store(std::filesystem::path directory);
  // The user's: <data>/store.
  explicit Store(const HostDirectories& directories) : Store(directories.data / "store") {}

  // Copies a library in. The candidate's checks are made again on the open file, so that a file
  // exchanged since it was examined is refused. PluginError, IoError.
  [[nodiscard]] StoredFile put_library(const Candidate& candidate);
  // Keeps a text (a manifest) under its digest. IoError.
  [[nodiscard]] StoredFile put_text(const std::string& text, const std::string& name);

  // Where the file with this digest and original name lies, whether it is there or not.
  [[nodiscard]] std::filesystem::path path_of(const std::string& digest,
                                              const std::string& name) const;
  // Reads the file again and compares. Empty when it is whole, else why not: "is missing", "was
  // changed (SHA-256 ...)", "can be written by others".
  [[nodiscard]] std::string damage(const std::string& digest, const std::string& name) const;

  [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }

 private:
  void prepare();
  std::filesystem::path directory_;
};

}  // namespace grapnel::host
