// A change that is always undone: swapped weights, frozen parameters, a trial's learning rate.
//
// The caller that makes a change takes a lease that holds its undo. The change ends with end(),
// when the handle is destroyed, or at the latest when the run ends: last taken, first undone,
// before on_exception and on_run_end.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "grapnel/export.h"

namespace grapnel {

class Leases;

class GRAPNEL_CORE_API Lease {
 public:
  Lease() = default;
  Lease(Lease&&) noexcept = default;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease() { end(); }

  // Undoes the change now; does nothing when it is already undone.
  void end() noexcept;
  // Makes the change permanent: it is no longer undone.
  void keep() noexcept;
  bool active() const;

 private:
  friend class Leases;
  struct Record {
    std::string reason;
    std::function<void()> undo;
  };
  explicit Lease(std::shared_ptr<Record> record) : record_(std::move(record)) {}
  std::shared_ptr<Record> record_;
};

// The leases of one run.
class GRAPNEL_CORE_API Leases {
 public:
  Leases() = default;
  Leases(const Leases&) = delete;
  Leases& operator=(const Leases&) = delete;
  // Keeps the changes that are still active: the run to undo them in is gone.
  ~Leases() { drop_all(); }

  Lease take(std::string reason, std::function<void()> undo);
  // Undoes all active changes, last first. An undo that throws is logged, and the others still run.
  void end_all() noexcept;
  // Ends all active leases without undoing them, for when what they changed is gone.
  void drop_all() noexcept;
  // Reasons of the active leases, oldest first.
  std::vector<std::string> active() const;

 private:
  std::vector<std::weak_ptr<Lease::Record>> records_;
};

}  // namespace grapnel
