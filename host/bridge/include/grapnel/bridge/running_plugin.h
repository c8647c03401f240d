// Whose code runs, while a plugin's code runs: what a crash, an exit or a hang in it is told with.
//
// Of the calling thread, also in a handler of a signal that it raised: what other threads do, such as
// a data loader's, is not the plugin's.
#pragma once

#include <atomic>
#include <cstdint>

#include <grapnel/bridge/hook_thread_local.h>

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
struct RunningPlace {
  std::atomic<const RunningPlugin*> own = nullptr;
  std::atomic<const RunningPlugin*>* kept = nullptr;  // by keep_running_plugins(), in place of own

  std::atomic<const RunningPlugin*>& get() noexcept { return kept != nullptr ? *kept : own; }
};
GRAPNEL_HOOK_THREAD_LOCAL extern constinit thread_local RunningPlace running_place;
static_assert(std::atomic<const RunningPlugin*>::is_always_lock_free);
extern std::atomic<bool> is_forked_child;
}  // namespace detail

// nullptr: none.
inline const RunningPlugin* running_plugin() noexcept {
  return detail::running_place.get().load(std::memory_order_relaxed);
}

// Whether this process is the child of a fork() in a plugin's code: what ends it ends no run.
inline bool is_forked_child() noexcept {
  return detail::is_forked_child.load(std::memory_order_relaxed);
}

// Where the address of what runs is kept, for a process that sees this one's end: given each object
// that will run in the calling thread, whose address stands for it; nullptr: in this process alone.
using KeepRunning = std::atomic<const RunningPlugin*>* (*)(const RunningPlugin& of);
// Before any plugin is loaded.
void keep_running_plugins(KeepRunning keep) noexcept;
// Before `of` runs. Its address may have been another's, which will not run again.
void note_running_plugin(const RunningPlugin& of) noexcept;

// Says so for a scope; scopes nest.
class RunningPluginScope {
 public:
  [[gnu::always_inline]] explicit RunningPluginScope(const RunningPlugin& running) noexcept
      : place_(detail::running_place.get()), outer_(place_.load(std::memory_order_relaxed)) {
    place_.store(&running, std::memory_order_relaxed);
  }
  ~RunningPluginScope() { place_.store(outer_, std::memory_order_relaxed); }
  RunningPluginScope(const RunningPluginScope&) = delete;
  RunningPluginScope& operator=(const RunningPluginScope&) = delete;

 private:
  std::atomic<const RunningPlugin*>& place_;
  const RunningPlugin* outer_;
};

}  // namespace grapnel::bridge
