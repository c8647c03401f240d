// A file that a target writes its input to, for readers that take a path. In memory where the system has
// such a directory; one per process, removed when it ends.
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>

#include <grapnel/base/files.h>

namespace grapnel::fuzz {

class InputFile {
 public:
  explicit InputFile(const char* name)
      : directory_("grapnel-fuzz-", std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : ""),
        path_(directory_.path() / name) {}

  const std::filesystem::path& path() const { return path_; }
  const std::filesystem::path& directory() const { return directory_.path(); }

  // Writes the bytes in place of what was there.
  const std::filesystem::path& write(std::span<const std::byte> bytes) const {
    std::FILE* const file = std::fopen(path_.c_str(), "wb");
    if (file == nullptr ||
        (!bytes.empty() && std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size()) ||
        std::fclose(file) != 0) {
      std::perror(path_.c_str());
      std::exit(1);  // no finding
    }
    return path_;
  }

 private:
  TemporaryDirectory directory_;
  std::filesystem::path path_;
};

}  // namespace grapnel::fuzz
