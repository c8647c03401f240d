#include "guard.h"

#include <ATen/autocast_mode.h>
#include <c10/core/DispatchKeySet.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <grapnel/base/log.h>

#include "describe_exception.h"

namespace grapnel::bridge {
namespace {

constexpr c10::DeviceType kAccelerator = c10::DeviceType::CUDA;

c10::impl::PODLocalDispatchKeySet local_keys() noexcept {
  const c10::impl::LocalDispatchKeySet keys = c10::impl::tls_local_dispatch_key_set();
  c10::impl::PODLocalDispatchKeySet pod{};
  pod.set_included(keys.included_);
  pod.set_excluded(keys.excluded_);
  return pod;
}

bool same_keys(const c10::impl::PODLocalDispatchKeySet& a,
               const c10::impl::PODLocalDispatchKeySet& b) noexcept {
  return a.included_ == b.included_ && a.excluded_ == b.excluded_;
}

// The keys of a thread outside of inference mode, as c10::InferenceMode(false) sets them.
c10::impl::PODLocalDispatchKeySet training_keys(c10::impl::PODLocalDispatchKeySet keys) noexcept {
  keys.set_included(keys.included().add(c10::DispatchKey::ADInplaceOrView));
  keys.set_excluded(keys.excluded() - c10::autograd_dispatch_keyset);
  return keys;
}

}  // namespace

void PlainTensors::leave_inference_mode() noexcept {
  c10::AutogradState& autograd = c10::AutogradState::get_tls_state();
  autograd.set_inference_mode(false);
  autograd.set_fw_grad_mode(true);
  autograd.set_multithreading_enabled(true);
  keys_before_ = local_keys();
  c10::impl::_force_tls_local_dispatch_key_set(training_keys(keys_before_));
  left_inference_ = true;
}

ForeignCodeGuard::Modes ForeignCodeGuard::current_modes() noexcept {
  const c10::AutogradState& autograd = c10::AutogradState::get_tls_state();
  return {autograd.get_grad_mode(),
          autograd.get_inference_mode(),
          local_keys(),
          FloatingPoint::current(),
          at::autocast::get_autocast_dtype(c10::DeviceType::CPU),
          at::autocast::is_autocast_cache_enabled()};
}

std::optional<ForeignCodeGuard::Accelerator> ForeignCodeGuard::current_accelerator() {
  if (!c10::impl::hasDeviceGuardImpl(kAccelerator)) return std::nullopt;
  const c10::impl::DeviceGuardImplInterface* driver = c10::impl::getDeviceGuardImpl(kAccelerator);
  if (driver->deviceCount() == 0) return std::nullopt;
  const c10::Device device = driver->getDevice();
  return Accelerator{device, driver->getStream(device)};
}

ForeignCodeGuard::ForeignCodeGuard()
    : before_(c10::AutogradState::get_tls_state()),
      keys_before_(local_keys()),
      accelerator_(current_accelerator()) {
  c10::AutogradState& autograd = c10::AutogradState::get_tls_state();
  if (before_.get_inference_mode()) {
    autograd.set_inference_mode(false);
    autograd.set_fw_grad_mode(true);
    autograd.set_multithreading_enabled(true);
    c10::impl::_force_tls_local_dispatch_key_set(training_keys(keys_before_));
  }
  autograd.set_grad_mode(false);
  entered_ = current_modes();
}

ForeignCodeGuard::~ForeignCodeGuard() {
  restore();
}

bool ForeignCodeGuard::restore() noexcept {
  if (restored_) return false;
  restored_ = true;
  left_ = current_modes();

  c10::AutogradState::set_tls_state(before_);
  if (!same_keys(left_.keys, keys_before_)) {
    c10::impl::_force_tls_local_dispatch_key_set(keys_before_);
  }
  if (left_.floating_point != entered_.floating_point) entered_.floating_point.apply();
  if (left_.autocast_dtype != entered_.autocast_dtype) {
    at::autocast::set_autocast_dtype(c10::DeviceType::CPU, entered_.autocast_dtype);
  }
  if (left_.autocast_cache != entered_.autocast_cache) {
    at::autocast::set_autocast_cache_enabled(entered_.autocast_cache);
  }
  if (accelerator_) {
    try {
      const c10::impl::DeviceGuardImplInterface* driver =
          c10::impl::getDeviceGuardImpl(kAccelerator);
      const std::optional<Accelerator> now = current_accelerator();
      accelerator_changed_ =
          !now || now->device != accelerator_->device || now->stream != accelerator_->stream;
      if (accelerator_changed_) {
        driver->exchangeStream(accelerator_->stream);
        driver->setDevice(accelerator_->device);
      }
    } catch (const std::exception&) {
      log_error("cannot put the device back after a plugin's hook: {}",
                describe_exception(std::current_exception()));
    }
  }
  return left_.grad != entered_.grad || left_.inference != entered_.inference ||
         !same_keys(left_.keys, entered_.keys) || left_.floating_point != entered_.floating_point ||
         left_.autocast_dtype != entered_.autocast_dtype ||
         left_.autocast_cache != entered_.autocast_cache || accelerator_changed_;
}

std::vector<std::string> ForeignCodeGuard::changes() const {
  std::vector<std::string> parts;
  if (!restored_) return parts;
  if (left_.grad != entered_.grad) parts.push_back("the grad mode");
  if (left_.inference != entered_.inference) {
    parts.push_back("the inference mode");
  } else if (!same_keys(left_.keys, entered_.keys)) {
    parts.push_back("the dispatch keys (autocast and others)");
  }
  if (left_.autocast_dtype != entered_.autocast_dtype) parts.push_back("autocast's data type");
  if (left_.autocast_cache != entered_.autocast_cache) parts.push_back("autocast's cache");
  if (left_.floating_point != entered_.floating_point) {
    parts.emplace_back(kFloatingPointChange);
  }
  if (accelerator_changed_) parts.push_back("the current device or stream");
  return parts;
}

}  // namespace grapnel::bridge
