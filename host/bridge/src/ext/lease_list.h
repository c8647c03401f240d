// The leases that an instance has taken. The trainer undoes those that are left when the run ends; a
// handle stays known until destroy, so that a plugin may end one late.
#pragma once

#include <grapnel/lease.h>

#include <list>

struct grapnel_lease {
  grapnel::Lease lease;
};

namespace grapnel::bridge {

struct LeaseList {
  std::list<grapnel_lease> leases;
};

}  // namespace grapnel::bridge
