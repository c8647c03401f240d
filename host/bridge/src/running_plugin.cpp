#include <grapnel/bridge/running_plugin.h>

namespace grapnel::bridge {

namespace {

KeepRunning keep_running = nullptr;

}  // namespace

namespace detail {

constinit thread_local RunningPlace running_place;
std::atomic<bool> is_forked_child = false;

}  // namespace detail

void keep_running_plugins(KeepRunning keep) noexcept {
  keep_running = keep;
}

void note_running_plugin(const RunningPlugin& of) noexcept {
  if (keep_running == nullptr) return;
  if (auto* const place = keep_running(of)) detail::running_place.kept = place;
}

}  // namespace grapnel::bridge
