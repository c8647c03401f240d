// Keeps grapnel_trainer_state true.
#pragma once

#include "../instance_host.h"

namespace grapnel::bridge {

// Copies where the run stands into the struct that the plugin reads.
void update_trainer_state(InstanceHost& self);

}  // namespace grapnel::bridge
