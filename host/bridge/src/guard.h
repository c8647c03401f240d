// Scopes for code that is not the host's: gradients are not recorded, inference mode is off, and
// changes of the thread's modes are undone afterwards.
//
// Without them a running average would add a node to an autograd graph each step, tensors made in a
// validation hook could not be trained with, and a library built with -ffast-math would flip
// denormals for the whole process. They run around every hook, so they must cost only nanoseconds;
// the locale, signal handlers and the like are looked at less often (process_watch.h).
//
// A plugin without a LibTorch symbol reaches LibTorch's modes only through the host's services, so
// these have the scopes (PlainTensors around each, ForeignCodeGuard around an operator), and around
// its hooks only the floating-point environment is compared. One that links LibTorch has the whole
// guard around everything.
#pragma once

#include <c10/core/AutogradState.h>
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>
#include <c10/core/Stream.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "floating_point.h"

namespace grapnel::bridge {

// Inside, tensors are made as a training's are: no gradients are recorded, inference mode is off.
class PlainTensors {
 public:
  PlainTensors() noexcept : before_(c10::AutogradState::get_tls_state()) {
    if (before_.get_inference_mode()) leave_inference_mode();
    c10::AutogradState::get_tls_state().set_grad_mode(false);
  }
  ~PlainTensors() {
    c10::AutogradState::set_tls_state(before_);
    if (left_inference_) c10::impl::_force_tls_local_dispatch_key_set(keys_before_);
  }
  PlainTensors(const PlainTensors&) = delete;
  PlainTensors& operator=(const PlainTensors&) = delete;

 private:
  void leave_inference_mode() noexcept;

  c10::AutogradState before_;
  c10::impl::PODLocalDispatchKeySet keys_before_{};
  bool left_inference_ = false;
};

// A phrase for a message, as those of ForeignCodeGuard::changes().
inline constexpr std::string_view kFloatingPointChange =
    "the floating-point environment (rounding, denormals, traps)";

class ForeignCodeGuard {
 public:
  ForeignCodeGuard();
  ~ForeignCodeGuard();
  ForeignCodeGuard(const ForeignCodeGuard&) = delete;
  ForeignCodeGuard& operator=(const ForeignCodeGuard&) = delete;

  // Restores all modes, as the destructor does too. True if the plugin had changed any; changes()
  // lists them.
  bool restore() noexcept;
  // Phrases for a message: "the grad mode", "the floating-point environment".
  std::vector<std::string> changes() const;

 private:
  // The current device and stream of an accelerator, if one is in use.
  struct Accelerator {
    c10::Device device;
    c10::Stream stream;
  };

  struct Modes {
    bool grad = false;
    bool inference = false;
    c10::impl::PODLocalDispatchKeySet keys{};  // autocast's switches among them
    FloatingPoint floating_point;
    c10::ScalarType autocast_dtype = c10::ScalarType::Undefined;  // of the CPU
    bool autocast_cache = false;
  };
  static Modes current_modes() noexcept;
  static std::optional<Accelerator> current_accelerator();

  c10::AutogradState before_;  // all of it, to restore
  c10::impl::PODLocalDispatchKeySet keys_before_;
  Modes entered_;  // at the plugin's entry
  Modes left_;     // at its return; set by restore()
  std::optional<Accelerator> accelerator_;
  bool accelerator_changed_ = false;
  bool restored_ = false;
};

}  // namespace grapnel::bridge
