// The leases of an instance that still hold. The trainer undoes them when the run ends.
//
// A handle is the number of its lease and points nowhere: it is recognized until destroy, as
// grapnel/ext/module.h promises, while a lease that has ended takes no memory.
#pragma once

#include <grapnel/ext/module.h>
#include <grapnel/lease.h>

#include <cstdint>
#include <map>
#include <utility>

namespace grapnel::bridge {

class LeaseList {
 public:
  // The lease's handle. When there is no memory for it, the lease ends.
  grapnel_lease* add(Lease lease) {
    std::erase_if(held_, [](const auto& item) { return !item.second.active(); });
    held_.emplace(given_ + 1, std::move(lease));
    return handle(++given_);
  }

  // Whether add() returned the handle, of a lease that has ended or not.
  bool knows(const grapnel_lease* lease) const noexcept {
    return number(lease) > 0 && number(lease) <= given_;
  }

  // False: the lease has ended before.
  bool end(const grapnel_lease* lease) noexcept {
    const auto found = held_.find(number(lease));
    if (found == held_.end()) return false;
    const bool active = found->second.active();
    found->second.end();
    held_.erase(found);
    return active;
  }

  void end_all() noexcept {
    for (auto& [number, lease] : held_) lease.end();
    held_.clear();
  }

 private:
  static grapnel_lease* handle(std::uint64_t number) noexcept {
    return reinterpret_cast<grapnel_lease*>(static_cast<std::uintptr_t>(number));
  }
  static std::uint64_t number(const grapnel_lease* lease) noexcept {
    return reinterpret_cast<std::uintptr_t>(lease);
  }

  std::map<std::uint64_t, Lease> held_;
  std::uint64_t given_ = 0;
};

}  // namespace grapnel::bridge
