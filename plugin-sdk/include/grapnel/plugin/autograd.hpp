// Terms of the loss, in on_before_backward; ext/autograd.h has the rules.
//
//   void on_before_backward(BackwardEvent& event) override {
//     const Recording recording = event.record();
//     Tensor sum = ...;  // of the model's parameters
//     event.add_term("l2", sum.mul(1e-4));
//   }
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <grapnel/plugin/tensor.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {

/// While it lives, operators record gradients.
class Recording {
 public:
  explicit Recording(detail::Context& context) : context_(&context) {
    detail::check(context.call<&grapnel_autograd::begin_recording>(), "recording gradients");
  }
  Recording(Recording&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}
  Recording& operator=(Recording&&) = delete;
  ~Recording() {
    if (context_ == nullptr) return;
    try {
      context_->call<&grapnel_autograd::end_recording>();
    } catch (...) {  // the host ends it with the hook
    }
  }

 private:
  detail::Context* context_;
};

namespace detail {

inline Tensor step_loss(Context& context) {
  grapnel_tensor* owned = nullptr;
  check(context.call<&grapnel_autograd::step_loss>(&owned), "the step's loss");
  return Tensor::adopt(context, owned);
}

inline void add_term(Context& context, std::string_view name, const Tensor& term) {
  term.context();  // throws for an undefined one
  check(context.call<&grapnel_autograd::add_term>(to_abi(name), term.handle()),
        "the term " + std::string(name) + " of the loss");
}

}  // namespace detail

}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
