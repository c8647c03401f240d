// The leases that an instance has taken. The trainer undoes them when the run ends; a handle stays valid
// until the plugin gives it back with end_lease.
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
