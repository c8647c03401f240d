// Keeps grapnel_trainer_state up to date.
#pragma once

#include "../instance_host.h"

namespace grapnel::bridge {

// Copies the state of the run into the struct that the plugin reads.
void update_trainer_state(InstanceHost& self);
// The instance ends.
void want_no_trainer_state(InstanceHost& self) noexcept;

}  // namespace grapnel::bridge
