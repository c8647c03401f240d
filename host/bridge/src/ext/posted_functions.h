// The functions that a plugin's threads have posted to the training's (ext/thread.h).
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>

#include <grapnel/ext/thread.h>

namespace grapnel::bridge {

class PostedFunctions {
 public:
  struct Posted {
    grapnel_posted run;
    grapnel_posted drop;  // may be nullptr
    void* data;
  };

  // From when there is an instance to call until close(). [train-thread]
  void open() noexcept { set_open(true); }
  void close() noexcept { set_open(false); }

  // False: it is closed or full. Any thread.
  bool post(const Posted& function) {
    const std::lock_guard lock(mutex_);
    if (!is_open_ || functions_.size() >= GRAPNEL_THREAD_MAX_POSTED) return false;
    functions_.push_back(function);
    waiting_.store(functions_.size(), std::memory_order_relaxed);
    return true;
  }

  // How many wait, as far as this thread knows.
  std::size_t waiting() const noexcept { return waiting_.load(std::memory_order_relaxed); }

  // The one posted first.
  std::optional<Posted> take() {
    const std::lock_guard lock(mutex_);
    if (functions_.empty()) return std::nullopt;
    const Posted first = functions_.front();
    functions_.pop_front();
    waiting_.store(functions_.size(), std::memory_order_relaxed);
    return first;
  }

 private:
  void set_open(bool open) noexcept {
    const std::lock_guard lock(mutex_);
    is_open_ = open;
  }

  std::mutex mutex_;
  std::deque<Posted> functions_;
  bool is_open_ = false;
  std::atomic<std::size_t> waiting_ = 0;
};

}  // namespace grapnel::bridge
