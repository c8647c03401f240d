// What was found out about each plugin file, kept between runs of the program.
//
// One small file, written whole. An entry counts only while the file it describes (and the library
// that a manifest names) has the same device, inode, size, mtime and ctime; the whole cache only for
// the host that wrote it. A damaged or foreign cache reads as an empty one. What depends on
// directories (trust, shadowing) is never cached.
#pragma once

#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include <grapnel/host/discovery.h>

#include "examine.h"

namespace grapnel::host {

class ScanCache {
 public:
  // Reads <cache>/plugins.cache.
  explicit ScanCache(const std::filesystem::path& cache_directory);

  // What was noted about the file found at `path`; nullopt when it must be examined again.
  [[nodiscard]] std::optional<Candidate> find(const std::string& path,
                                              const FileIdentity& identity);
  void store(const std::string& path, const Examined& examined);

  // Writes the file when anything changed. Failing is no error: the next run is slower.
  void save() noexcept;

 private:
  struct Entry {
    std::string_view record;  // decoded when it is asked for
    bool seen = false;        // in this run; others are dropped when the cache grows
  };

  std::filesystem::path file_;
  std::string content_;                // of the file; old records point into it
  std::deque<std::string> new_texts_;  // paths and records made in this run
  std::unordered_map<std::string_view, Entry> entries_;
  bool changed_ = false;
};

}  // namespace grapnel::host
