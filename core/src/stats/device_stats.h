// What LibTorch's allocator and the driver tell about an accelerator.
#pragma once

#include <c10/core/Device.h>

#include "grapnel/logger.h"

namespace grapnel {

// The caching allocator's counts under the names of torch.cuda.memory_stats
// ("allocated_bytes.all.current"), bytes and counts; empty for a device whose allocator keeps none,
// and with a LibTorch that tells of none (before 2.10).
Logger::Metrics allocator_stats(const c10::Device& device);

// Gives back what the allocator keeps for later, if there is such a thing on this device.
void empty_allocator_cache(const c10::Device& device);

// Waits until everything that was asked of an accelerator is done; nothing on a CPU.
void synchronize(const c10::Device& device);

}  // namespace grapnel
