#include "plugin_costs.h"

#include <algorithm>
#include <vector>

#include <grapnel/base/log.h>
#include <grapnel/base/text.h>
#include <grapnel/bridge/plugin_callback.h>

namespace grapnel::program {
namespace {

constexpr double kLargestShare = 0.2;
constexpr double kFewestSeconds = 0.1;  // a run that is over at once has no costs worth a warning

}  // namespace

void warn_of_costly_plugins(const Trainer& trainer) {
  const double run_seconds = trainer.profile().run_seconds;
  for (const CallbackHandle& handle : trainer.callbacks()) {
    const auto* plugin = dynamic_cast<const bridge::PluginCallback*>(handle.callback.get());
    if (plugin == nullptr) continue;
    const std::vector<bridge::PluginCallback::HookTime> times = plugin->hook_times();
    double seconds = 0;
    for (const auto& time : times) seconds += time.seconds;
    if (seconds < kFewestSeconds || seconds <= kLargestShare * run_seconds) continue;
    const auto most =
        std::ranges::max_element(times, {}, [](const auto& time) { return time.seconds; });
    log_warning(
        "plugin {} {} took {:.0f}% of the run, {:.1f} s of {:.1f} s, most of it in {} ({} calls of {:.3g} "
        "ms); --profile shows where",
        quote(plugin->site().plugin), printable(plugin->site().version),
        100 * std::min(seconds / run_seconds, 1.0), seconds, run_seconds, most->hook, most->calls,
        1e3 * most->seconds / static_cast<double>(most->calls));
  }
}

}  // namespace grapnel::program
