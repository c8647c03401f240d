#include "stats/device_stats.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#if __has_include(<torch/headeronly/version.h>)
#include <c10/core/CachingDeviceAllocator.h>
#define GRAPNEL_HAS_DEVICE_ALLOCATOR 1
#endif

#include <string>

namespace grapnel {

#ifdef GRAPNEL_HAS_DEVICE_ALLOCATOR
namespace {

// nullptr on a CPU, and where the device's library is not loaded.
c10::DeviceAllocator* device_allocator(const c10::Device& device) {
  if (device.is_cpu()) return nullptr;
  auto* found = dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(device.type()));
  return found != nullptr && found->initialized() ? found : nullptr;
}

void add(Logger::Metrics& metrics, const std::string& name,
         const c10::CachingAllocator::Stat& stat) {
  metrics.emplace_back(name + ".current", static_cast<double>(stat.current));
  metrics.emplace_back(name + ".peak", static_cast<double>(stat.peak));
  metrics.emplace_back(name + ".allocated", static_cast<double>(stat.allocated));
  metrics.emplace_back(name + ".freed", static_cast<double>(stat.freed));
}

// In all, and by the pools of small and large blocks.
void add(Logger::Metrics& metrics, const std::string& name,
         const c10::CachingAllocator::StatArray& stats) {
  constexpr const char* kPools[] = {"all", "small_pool", "large_pool"};
  for (size_t i = 0; i < stats.size() && i < std::size(kPools); ++i) {
    add(metrics, name + "." + kPools[i], stats[i]);
  }
}

}  // namespace

Logger::Metrics allocator_stats(const c10::Device& device) {
  c10::DeviceAllocator* allocator = device_allocator(device);
  if (allocator == nullptr) return {};
  const auto stats =
      allocator->getDeviceStats(device.has_index() ? device.index() : c10::DeviceIndex{0});
  Logger::Metrics metrics;
  add(metrics, "allocation", stats.allocation);
  add(metrics, "segment", stats.segment);
  add(metrics, "active", stats.active);
  add(metrics, "inactive_split", stats.inactive_split);
  add(metrics, "allocated_bytes", stats.allocated_bytes);
  add(metrics, "reserved_bytes", stats.reserved_bytes);
  add(metrics, "active_bytes", stats.active_bytes);
  add(metrics, "inactive_split_bytes", stats.inactive_split_bytes);
  add(metrics, "requested_bytes", stats.requested_bytes);
  add(metrics, "oversize_allocations", stats.oversize_allocations);
  add(metrics, "oversize_segments", stats.oversize_segments);
  metrics.emplace_back("num_alloc_retries", static_cast<double>(stats.num_alloc_retries));
  metrics.emplace_back("num_ooms", static_cast<double>(stats.num_ooms));
  metrics.emplace_back("num_sync_all_streams", static_cast<double>(stats.num_sync_all_streams));
  metrics.emplace_back("num_device_alloc", static_cast<double>(stats.num_device_alloc));
  metrics.emplace_back("num_device_free", static_cast<double>(stats.num_device_free));
  metrics.emplace_back("max_split_size", static_cast<double>(stats.max_split_size));
  return metrics;
}

void empty_allocator_cache(const c10::Device& device) {
  if (c10::DeviceAllocator* allocator = device_allocator(device)) allocator->emptyCache();
}
#else
Logger::Metrics allocator_stats(const c10::Device&) {
  return {};
}
void empty_allocator_cache(const c10::Device&) {}
#endif

void synchronize(const c10::Device& device) {
  if (device.is_cpu()) return;
  const c10::impl::VirtualGuardImpl guard(device.type());
  guard.synchronizeDevice(device.has_index() ? device.index() : guard.getDevice().index());
}

}  // namespace grapnel

#undef GRAPNEL_HAS_DEVICE_ALLOCATOR
