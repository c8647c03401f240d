// Whose code runs, while a plugin's code runs: what a crash, an exit or a hang in it is told with.
//
// Readable in a signal handler. Of several trainers on several threads it is the last one that
// called a plugin.
#pragma once

#include <atomic>
#include <cstdint>

namespace grapnel::bridge {

// Points into objects that live as long as the call.
struct RunningPlugin {
  const char* plugin = "";
  const char* version = "";
  const char* callback = "";    // empty while the library is loaded
  const char* function = "";    // "on_train_batch_end", "create", "loading it"
  std::int64_t batch_idx = -1;  // -1: not in a batch
  std::uint64_t number = 0;     // of the call, to tell a later one of the same function
};

namespace detail {
extern std::atomic<const RunningPlugin*> running_plugin;
static_assert(std::atomic<const RunningPlugin*>::is_always_lock_free);
}  // namespace detail

// nullptr: none.
inline const RunningPlugin* running_plugin() noexcept {
  return detail::running_plugin.load(std::memory_order_relaxed);
}

// Says so for a scope; scopes nest.
class RunningPluginScope {
 public:
  explicit RunningPluginScope(const RunningPlugin& running) noexcept
      : outer_(detail::running_plugin.load(std::memory_order_relaxed)) {
    detail::running_plugin.store(&running, std::memory_order_relaxed);
  }
  ~RunningPluginScope() { detail::running_plugin.store(outer_, std::memory_order_relaxed); }
  RunningPluginScope(const RunningPluginScope&) = delete;
  RunningPluginScope& operator=(const RunningPluginScope&) = delete;

 private:
  const RunningPlugin* outer_;
};

}  // namespace grapnel::bridge
