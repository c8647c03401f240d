// The directory of one run's logs: save_dir/name/version, with the next free version when none was
// chosen.
//
// Runs that start at the same moment get different versions: a version that was not chosen is taken
// by making its directory, which only one of them can.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "grapnel/export.h"

namespace grapnel {

struct LogDirectoryOptions {
  std::filesystem::path save_dir = ".";  // relative to the working directory
  std::string name = "grapnel_logs";     // of the experiment; may be empty
  // "version_3", or any other name for a directory. Unset: the next free "version_N".
  std::optional<std::string> version = {};
};

class GRAPNEL_CORE_API LogDirectory {
 public:
  // Throws ConfigError for an empty save_dir, or a name or version that would lead out of it.
  explicit LogDirectory(LogDirectoryOptions options);

  const std::filesystem::path& save_dir() const { return options_.save_dir; }
  const std::string& name() const { return options_.name; }
  // Before claim(): the version that is free now.
  const std::string& version() const;
  std::filesystem::path path() const { return root() / version(); }

  // Makes the directory; from then on the version is settled. IoError when it can't be made.
  void claim();

 private:
  std::filesystem::path root() const { return options_.save_dir / options_.name; }
  std::string next_version() const;

  LogDirectoryOptions options_;
  mutable std::string version_;  // empty: not looked for yet
  bool claimed_ = false;
};

}  // namespace grapnel
