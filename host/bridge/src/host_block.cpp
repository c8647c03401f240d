#include "host_block.h"

#include <type_traits>

namespace grapnel::bridge {

HostBlock& HostBlock::make(InstanceHost& host, const grapnel_host& table) {
  static_assert(std::is_standard_layout_v<Abi>);
  return keep_forever(std::unique_ptr<HostBlock>(new HostBlock(host, table)));
}

HostBlock* HostBlock::of(const grapnel_host* host) noexcept {
  return host == nullptr ? nullptr : reinterpret_cast<const Abi*>(host)->self;
}

void HostBlock::close() noexcept {
  const std::unique_lock lock(mutex_);
  host_.store(nullptr, std::memory_order_relaxed);
}

}  // namespace grapnel::bridge
