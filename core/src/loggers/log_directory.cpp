#include "grapnel/loggers/log_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <system_error>
#include <utility>

#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/text.h"
#include "values/directory_listing.h"

namespace grapnel {

namespace fs = std::filesystem;

LogDirectory::LogDirectory(LogDirectoryOptions options) : options_(std::move(options)) {
  const auto refuse = [](const char* key, const std::string& value) {
    throw ConfigError::of(key,
                          "a logger's {} is {}; it must be the name of a directory below save_dir",
                          key, quote(value));
  };
  if (options_.save_dir.empty()) {
    throw ConfigError({}, "a logger's save_dir is empty; '.' is the working directory", "save_dir");
  }
  if (!options_.name.empty() && !is_safe_relative(options_.name)) refuse("name", options_.name);
  if (!options_.version.has_value()) return;
  if (!is_safe_relative(*options_.version)) refuse("version", *options_.version);
  version_ = *options_.version;
}

const std::string& LogDirectory::version() const {
  if (version_.empty()) version_ = next_version();
  return version_;
}

std::string LogDirectory::next_version() const {
  constexpr std::string_view kPrefix = "version_";
  int64_t next = 0;
  std::error_code error;
  for (const fs::path& path : paths_in(root())) {
    const std::string name = path.filename().string();
    int64_t number = -1;
    const char* end = name.data() + name.size();
    if (!name.starts_with(kPrefix) || !fs::is_directory(path, error)) continue;
    const auto result = std::from_chars(name.data() + kPrefix.size(), end, number);
    if (result.ec == std::errc() && result.ptr == end) next = std::max(next, number + 1);
  }
  return fmt::format("{}{}", kPrefix, next);
}

void LogDirectory::claim() {
  if (std::exchange(claimed_, true)) return;
  std::error_code error;
  do {
    fs::create_directories(options_.version.has_value() ? path() : root(), error);
    while (!error && !options_.version.has_value() && !fs::create_directory(path(), error)) {
      if (!error) version_ = next_version();  // another run took it in the meantime
    }
  } while (error == std::errc::interrupted);
  if (error) {
    claimed_ = false;
    throw IoError("make the directory", path(), error.value(), "logs can't be written there");
  }
  static_cast<void>(remove_stale_temporaries(path()));  // of a run that was killed here
}

}  // namespace grapnel
