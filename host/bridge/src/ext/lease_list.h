// The leases that an instance has taken. The trainer undoes open ones when the run ends; a handle
// stays valid until destroy, so that a plugin may end it late.
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
