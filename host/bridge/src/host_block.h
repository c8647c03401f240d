// What a plugin's grapnel_host points to: valid for the life of the process, because a thread of a
// plugin may call late. After the instance's end it answers GRAPNEL_NOT_NOW.
//
// A few hundred bytes per instance are never freed.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <grapnel/abi.h>
#include <grapnel/bridge/hook_thread_local.h>

namespace grapnel::bridge {

class InstanceHost;

// Keeps an object until the process ends, because a plugin may hold its address for as long. It
// stays reachable, so that leak checkers see it as what it is.
template <class T>
T& keep_forever(std::unique_ptr<T> object) {
  static std::mutex mutex;
  static auto& kept = *new std::vector<std::unique_ptr<T>>();
  const std::lock_guard lock(mutex);
  return *kept.emplace_back(std::move(object));
}

class HostBlock {
 public:
  // Of a new instance; lives until the process ends.
  static HostBlock& make(InstanceHost& host, const grapnel_host& table);
  static HostBlock* of(const grapnel_host* host) noexcept;

  const grapnel_host* abi() const noexcept { return &abi_.table; }
  // The instance ends: waits for services that other threads are in.
  void close() noexcept;

  // The thread that called the plugin last: only it may use [train-thread] services.
  void set_thread() noexcept { thread_.store(this_thread(), std::memory_order_relaxed); }
  bool is_thread() const noexcept {
    return thread_.load(std::memory_order_relaxed) == this_thread();
  }
  // On that thread; nullptr after close().
  InstanceHost* host() const noexcept { return host_.load(std::memory_order_relaxed); }

  // The host for an [any-thread] service, kept alive meanwhile; null after close().
  class Access {
   public:
    explicit Access(HostBlock& block) noexcept : lock_(block.mutex_), host_(block.host()) {}
    InstanceHost* get() const noexcept { return host_; }

   private:
    std::shared_lock<std::shared_mutex> lock_;
    InstanceHost* host_;
  };

 private:
  HostBlock(InstanceHost& host, const grapnel_host& table) : abi_{table, this}, host_(&host) {}
  static const void* this_thread() noexcept {
    GRAPNEL_HOOK_THREAD_LOCAL static thread_local const char mark = 0;
    return &mark;
  }

  struct Abi {
    grapnel_host table;
    HostBlock* self;
  };
  Abi abi_;
  std::atomic<InstanceHost*> host_;
  std::atomic<const void*> thread_ = nullptr;
  std::shared_mutex mutex_;
};

}  // namespace grapnel::bridge
