// Around everything of a plugin: gradients are not recorded, inference mode is left, and whatever the
// plugin's code did to the thread's modes is undone afterwards.
//
// Without it an average grows an autograd graph by a node a step, tensors made in a validation hook
// can't be trained with, and one library built with -ffast-math flips denormals for the whole
// process. It stands around every hook, so it does nothing that takes more than nanoseconds; locale,
// signal handlers and the like are host::ProcessStateGuard's, which stands around load and create.
#pragma once

#include <c10/core/AutogradState.h>
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>
#include <c10/core/Stream.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <optional>
#include <string>
#include <vector>

#include "floating_point.h"

namespace grapnel::bridge {

class ForeignCodeGuard {
 public:
  ForeignCodeGuard();
  ~ForeignCodeGuard();
  ForeignCodeGuard(const ForeignCodeGuard&) = delete;
  ForeignCodeGuard& operator=(const ForeignCodeGuard&) = delete;

  // Puts everything back as it was; the destructor does it too. True when something had changed
  // meanwhile; changes() then says what.
  bool restore() noexcept;
  // Parts of a sentence: "the grad mode", "the floating-point environment".
  std::vector<std::string> changes() const;

 private:
  // Which device and stream of an accelerator are current; only where one is in use.
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

  c10::AutogradState before_;  // the whole, to be put back
  c10::impl::PODLocalDispatchKeySet keys_before_;
  Modes entered_;  // what the plugin's code found
  Modes left_;     // what it left, once restored
  std::optional<Accelerator> accelerator_;
  bool accelerator_changed_ = false;
  bool restored_ = false;
};

}  // namespace grapnel::bridge
