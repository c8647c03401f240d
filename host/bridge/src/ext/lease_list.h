// The leases of an instance that still hold. The trainer undoes them when the run ends; the plugin
// is told of those that it never ended.
//
// A handle is a number and points nowhere: the instance's own in its upper part, that of the lease in
// its lower. It is recognized until destroy, as grapnel/ext/module.h promises, no other instance has
// it, and a lease that has ended takes no memory.
#pragma once

#include <grapnel/ext/module.h>
#include <grapnel/lease.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace grapnel::bridge {

class LeaseList {
 public:
  // The lease's handle. When there is no memory for it, the lease ends.
  grapnel_lease* add(Lease lease, std::string reason) {
    forget_undone();
    held_.emplace(first_ + given_ + 1, Held{std::move(lease), std::move(reason)});
    return handle(first_ + ++given_);
  }

  // Reasons of those that the trainer has undone, because the plugin never ended them; each once.
  std::vector<std::string> take_undone() {
    forget_undone();
    return std::exchange(undone_, {});
  }

  // Whether add() returned the handle, of a lease that has ended or not.
  bool knows(const grapnel_lease* lease) const noexcept {
    const std::uint64_t handle = number(lease);
    return handle > first_ && handle <= first_ + given_;
  }

  // False: the lease has ended before.
  bool end(const grapnel_lease* lease) noexcept {
    const auto found = held_.find(number(lease));
    if (found == held_.end()) return false;
    const bool active = found->second.lease.active();
    found->second.lease.end();
    held_.erase(found);
    return active;
  }

  void end_all() noexcept {
    for (auto& [number, held] : held_) held.lease.end();
    held_.clear();
  }

 private:
  static grapnel_lease* handle(std::uint64_t number) noexcept {
    return reinterpret_cast<grapnel_lease*>(static_cast<std::uintptr_t>(number));
  }
  static std::uint64_t number(const grapnel_lease* lease) noexcept {
    return reinterpret_cast<std::uintptr_t>(lease);
  }

  static std::uint64_t next_instance() noexcept {
    static std::atomic<std::uint64_t> given = 0;
    return ++given;
  }

  struct Held {
    Lease lease;
    std::string reason;
  };
  void forget_undone() {
    std::erase_if(held_, [this](auto& item) {
      if (item.second.lease.active()) return false;
      undone_.push_back(std::move(item.second.reason));
      return true;
    });
  }

  std::map<std::uint64_t, Held> held_;
  std::vector<std::string> undone_;
  std::uint64_t given_ = 0;
  const std::uint64_t first_ = next_instance() << 40;  // a trillion leases each
};

}  // namespace grapnel::bridge
