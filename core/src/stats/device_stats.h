// Statistics of an accelerator from LibTorch's allocator and the driver.
#pragma once

#include <c10/core/Device.h>

#include "grapnel/logger.h"

namespace grapnel {

// The caching allocator's bytes and counts under the names of torch.cuda.memory_stats
// ("allocated_bytes.all.current"). Empty when the device's allocator has none, and with LibTorch
// before 2.10, which does not report them.
Logger::Metrics allocator_stats(const c10::Device& device);

// Releases the allocator's cached memory, if it caches on this device.
void empty_allocator_cache(const c10::Device& device);

// Waits for all queued work of an accelerator; does nothing for the CPU.
void synchronize(const c10::Device& device);

}  // namespace grapnel
