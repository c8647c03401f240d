// Observed: a layer of torch::nn that a LayerObserver can see, made as the layer itself.
//
//   torch::nn::Sequential net(grapnel::Observed<torch::nn::Linear>(64, 10),
//                             grapnel::Observed<torch::nn::Tanh>());
//
// It is the layer: same constructor, same parameters and names, same type in summaries. Use it in
// place of the layer's holder wherever sizes, activations or operations of that place are of
// interest. clone() makes layers that are not observed. Observed<torch::nn::Sequential> takes and
// gives one tensor and, unlike the plain one, may be nested in another.
//
// Layers with one forward of fixed arguments can be observed: all of torch::nn's but containers,
// and the user's own classes.
#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/pimpl.h>

#include <utility>

#include "grapnel/layer_observer.h"

namespace grapnel {

template <class Impl, class Forward = decltype(&Impl::forward)>
class ObservedImpl;

template <class Impl, class Base, class Result, class... Args>
class ObservedImpl<Impl, Result (Base::*)(Args...)> : public Impl {
 public:
  using Impl::Impl;

  Result forward(Args... args) { return observe(std::forward<Args>(args)...); }

  // forward with the layer's own default arguments.
  template <class... Given>
  Result observe(Given&&... given) {
    if (!LayerObserver::watching()) return Impl::forward(std::forward<Given>(given)...);
    const TensorTree inputs = detail::input_tree(given...);
    const torch::nn::Module* self = this;
    LayerCall call(self);
    Result result = Impl::forward(std::forward<Given>(given)...);
    call.forwarded(inputs, detail::tensor_tree(result));
    return result;
  }
};

// Of a Sequential, whose own forward is a template.
template <>
class ObservedImpl<torch::nn::SequentialImpl, void> : public torch::nn::SequentialImpl {
 public:
  using torch::nn::SequentialImpl::SequentialImpl;

  at::Tensor forward(at::Tensor input) { return observe(std::move(input)); }

  at::Tensor observe(at::Tensor input) {
    if (!LayerObserver::watching()) return torch::nn::SequentialImpl::forward(std::move(input));
    const torch::nn::Module* self = this;
    LayerCall call(self);
    at::Tensor result = torch::nn::SequentialImpl::forward(input);
    call.forwarded({input}, {result});
    return result;
  }
};

namespace detail {
template <class Holder>
struct ObservedOf {
  using type = ObservedImpl<typename Holder::ContainedType>;
};
template <>
struct ObservedOf<torch::nn::Sequential> {
  using type = ObservedImpl<torch::nn::SequentialImpl, void>;
};
}  // namespace detail

// Holder: torch::nn::Linear, or another module holder (TORCH_MODULE).
template <class Holder>
class Observed : public torch::nn::ModuleHolder<typename detail::ObservedOf<Holder>::type> {
 public:
  using Impl = typename detail::ObservedOf<Holder>::type;
  using torch::nn::ModuleHolder<Impl>::ModuleHolder;

  template <class... Args>
  auto operator()(Args&&... args) {
    return this->get()->observe(std::forward<Args>(args)...);
  }
};

}  // namespace grapnel
