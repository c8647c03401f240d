#include "unwritable_home.h"

#include <fmt/format.h>

#include <mutex>
#include <set>
#include <string>
#include <system_error>

#include <grapnel/base/log.h>
#include <grapnel/base/platform.h>
#include <grapnel/base/text.h>
#include <grapnel/host/trust.h>

#include "private_directory.h"

namespace grapnel::host {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::minutes youngest_stale{10};        // a plugin is loaded long before
constexpr std::string_view name_prefix = "grapnel-run-";  // then the process and "-"

// The directories in which a private one may be made, the best first.
std::vector<fs::path> places() {
  std::vector<fs::path> found;
  if (const auto runtime = environment_variable("XDG_RUNTIME_DIR"); runtime && !runtime->empty()) {
    found.emplace_back(*runtime);
  }
  std::error_code absent;
  if (const fs::path temporary = fs::temp_directory_path(absent); !absent) {
    found.push_back(temporary);
  }
  found.emplace_back("/tmp");
  return found;
}

bool is_told_first(const fs::path& directory) {
  static std::mutex mutex;
  static std::set<fs::path> told;
  const std::lock_guard lock(mutex);
  return told.insert(directory).second;
}

}  // namespace

void throw_unwritable(std::string_view action, const fs::path& directory, const IoError& cause) {
  throw IoError(
      action, directory, cause.error_number,
      "set HOME, or XDG_DATA_HOME and XDG_CONFIG_HOME, to directories that you can write");
}

std::shared_ptr<const TemporaryDirectory> directory_for_this_run(const IoError& cause,
                                                                 const fs::path& directory,
                                                                 std::string_view variable) {
  for (const fs::path& place : places()) {
    try {
      const fs::path resolved = real_path(place);
      if (!TrustChecker().directory_refusal(resolved).empty()) continue;
      remove_stale_directories(resolved, name_prefix);
      auto made = std::make_shared<const TemporaryDirectory>(name_prefix, resolved);
      if (is_told_first(directory)) {
        log_warning(
            "cannot write to {} ({}): a private directory is used for this run only; to keep what "
            "is written, set HOME or {} to a directory that you can write",
            quote(directory.string()), std::generic_category().message(cause.error_number),
            variable);
      }
      return made;
    } catch (const IoError&) {  // the next place may do
    }
  }
  throw IoError("write to", directory, cause.error_number,
                fmt::format("and there is no directory for temporary files either; set HOME, {} or "
                            "TMPDIR to a directory that you can write",
                            variable));
}

}  // namespace grapnel::host
