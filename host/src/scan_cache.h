// Caches the examined plugin files between runs of the program.
//
// One small file, written atomically. An entry is valid only while the file it describes (and the
// library that a manifest names) has the same device, inode, size, mtime and ctime; the cache is
// valid only for the host that wrote it. A damaged or foreign cache is treated as empty. Facts that
// depend on directories (trust, shadowing) are never cached.
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

  // The cached candidate of the file at `path`; nullopt when it must be examined.
  [[nodiscard]] std::optional<Candidate> find(const std::string& path,
                                              const FileIdentity& identity);
  void store(const std::string& path, const Examined& examined);

  // Writes the file when anything changed. Failing is not an error: the next run is slower.
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
