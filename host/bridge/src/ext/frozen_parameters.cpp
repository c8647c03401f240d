#include "frozen_parameters.h"

#include <map>
#include <mutex>

namespace grapnel::bridge {
namespace {

// Leases by parameter, which they keep alive.
struct Frozen {
  std::mutex mutex;
  std::map<const c10::TensorImpl*, int> leases;
};

Frozen& frozen() {
  static auto& all = *new Frozen;  // a training may outlive static objects
  return all;
}

}  // namespace

bool freeze(const at::Tensor& parameter) {
  Frozen& all = frozen();
  const std::lock_guard lock(all.mutex);
  const c10::TensorImpl* const key = parameter.unsafeGetTensorImpl();
  if (!parameter.requires_grad() && !all.leases.contains(key)) return false;
  ++all.leases[key];
  parameter.set_requires_grad(false);
  return true;
}

void unfreeze(const at::Tensor& parameter) noexcept {
  Frozen& all = frozen();
  const std::lock_guard lock(all.mutex);
  const auto held = all.leases.find(parameter.unsafeGetTensorImpl());
  if (held == all.leases.end() || --held->second > 0) return;
  all.leases.erase(held);
  parameter.set_requires_grad(true);
}

}  // namespace grapnel::bridge
