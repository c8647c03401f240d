// Checks whether this host can run a plugin: ABI, platform, extensions.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include <grapnel/base/text.h>
#include <grapnel/ext/layout.h>
#include <grapnel/host/manifest.h>

#include "entry_check.h"

namespace grapnel::host {
namespace {

#if defined(_WIN32)
#define GRAPNEL_OS "windows"
#elif defined(__APPLE__)
#define GRAPNEL_OS "macos"
#else
#define GRAPNEL_OS "linux"
#endif
#if defined(__x86_64__) || defined(_M_X64)
#define GRAPNEL_ARCH "x86_64"
#elif defined(__aarch64__) || defined(_M_ARM64)
#define GRAPNEL_ARCH "aarch64"
#else
#error "the plugin ABI is defined for 64-bit little-endian x86_64 and aarch64"
#endif

}  // namespace

std::string_view this_platform() noexcept {
  return GRAPNEL_OS "-" GRAPNEL_ARCH;
}

const std::vector<std::string>& offered_extensions() {
  static const std::vector<std::string> ids = [] {
    std::vector<std::string> all = {
        GRAPNEL_EXT_ATEN,     GRAPNEL_EXT_AUTOGRAD,     GRAPNEL_EXT_BATCH,   GRAPNEL_EXT_CHECKPOINT,
        GRAPNEL_EXT_DEVICE,   GRAPNEL_EXT_DISTRIBUTED,  GRAPNEL_EXT_EVENT,   GRAPNEL_EXT_LOG,
        GRAPNEL_EXT_METRICS,  GRAPNEL_EXT_METRICS_SINK, GRAPNEL_EXT_MODULE,  GRAPNEL_EXT_OPTIMIZERS,
        GRAPNEL_EXT_OUTPUTS,  GRAPNEL_EXT_PARAMS,       GRAPNEL_EXT_PLUGIN,  GRAPNEL_EXT_REQUEST,
        GRAPNEL_EXT_SCHEDULE, GRAPNEL_EXT_STATE,        GRAPNEL_EXT_TENSORS, GRAPNEL_EXT_TERMINAL,
        GRAPNEL_EXT_THREAD,   GRAPNEL_EXT_TIMING,       GRAPNEL_EXT_TRAINER,
    };
    std::ranges::sort(all);
    return all;
  }();
  return ids;
}

std::string incompatibility(const Manifest& manifest) {
  if (std::string reason = target_fault("it needs", manifest.abi); !reason.empty()) return reason;
  if (!manifest.platforms.empty() &&
      std::ranges::find(manifest.platforms, this_platform()) == manifest.platforms.end()) {
    return fmt::format("it runs only on {}, this system is {}", join_quoted(manifest.platforms),
                       this_platform());
  }
  for (const std::string& key : manifest.critical) {
    if (std::ranges::find(known_manifest_keys(), key) != known_manifest_keys().end()) continue;
    return fmt::format(
        "its manifest has the key {}, which a host must understand and this one doesn't; update "
        "grapnel, or install an older release of the plugin",
        quote(key));
  }
  for (const std::string& id : manifest.required_extensions) {
    if (std::ranges::find(offered_extensions(), id) != offered_extensions().end()) continue;
    const auto meant = nearest(id, offered_extensions());
    return fmt::format(
        "it requires the extension {}, which this host does not offer{}; update "
        "grapnel, or install another release of the plugin",
        quote(id), meant ? fmt::format(" (the nearest is '{}')", *meant) : "");
  }
  return {};
}

}  // namespace grapnel::host
