// Looking into a forward pass: what goes into each layer and comes out of it, and how much is
// computed.
//
// torch::nn has no hooks on a forward pass in C++, so a layer that wants to be seen is wrapped
// where it is made (Observed, in observed.h). Observers belong to a thread: they see the forward
// passes that run in it while they exist. They may nest and end in any order: all of them watch. A
// wrapped layer without an observer costs one look at a thread-local pointer.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include "grapnel/batch.h"
#include "grapnel/export.h"

namespace grapnel {

class GRAPNEL_CORE_API LayerObserver {
 public:
  virtual ~LayerObserver();

  // Before a layer's forward, and after it, also when it threw. Calls nest as the layers do. layer:
  // Layer::identity.
  virtual void on_enter(const void* /*layer*/) {}
  virtual void on_leave(const void* /*layer*/) {}
  // Between the two, when it returned. A layer with several inputs or outputs has them as children,
  // in order; non-tensors are empty trees. Borrowed.
  virtual void on_forward(const void* layer, const TensorTree& inputs,
                          const TensorTree& output) = 0;

  // Whether anyone watches this thread.
  static bool watching();

  // Lets an observer watch this thread for a scope, which ends in the thread where it began. An
  // observer that is being told of a layer neither begins nor ends one.
  class GRAPNEL_CORE_API Scope {
   public:
    explicit Scope(LayerObserver& observer);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    friend class LayerCall;
    LayerObserver& observer_;
    Scope* before_;
  };

  // Nobody watches this thread for a scope; no observer begins or ends in it.
  class GRAPNEL_CORE_API Pause {
   public:
    Pause();
    ~Pause();
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    Scope* watching_;
  };
};

// A layer's forward while somebody watches: leaves also when it throws.
class GRAPNEL_CORE_API LayerCall {
 public:
  explicit LayerCall(const void* layer);
  ~LayerCall();
  LayerCall(const LayerCall&) = delete;
  LayerCall& operator=(const LayerCall&) = delete;

  void forwarded(const TensorTree& inputs, const TensorTree& output);

 private:
  const void* layer_;
};

// Counts the floating-point operations of matrix products, convolutions and attention, forward and
// backward, that run in this thread while it exists (and in the threads that LibTorch's backward
// pass uses for it). One multiplication and one addition count as two; everything else as none, as
// torch.utils.flop_counter does it, whose formulas these are. Counters may nest: all of them count.
class GRAPNEL_CORE_API FlopCounter {
 public:
  FlopCounter();
  ~FlopCounter();
  FlopCounter(const FlopCounter&) = delete;
  FlopCounter& operator=(const FlopCounter&) = delete;

  int64_t total() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

namespace detail {

inline TensorTree tensor_tree(const at::Tensor& tensor) {
  return {tensor};
}
// Anything that is not a tensor.
template <class T>
TensorTree tensor_tree(const T&) {
  return {};
}
template <class... T>
TensorTree tensor_tree(const std::tuple<T...>& values);
template <class T>
TensorTree tensor_tree(const std::optional<T>& value) {
  return value.has_value() ? tensor_tree(*value) : TensorTree();
}
template <class... T>
TensorTree tensor_tree(const std::tuple<T...>& values) {
  TensorTree tree;
  std::apply([&](const T&... value) { (tree.children.emplace_back("", tensor_tree(value)), ...); },
             values);
  return tree;
}

// A single input is returned as it is; absent trailing ones are left out.
template <class... T>
TensorTree input_tree(const T&... inputs) {
  TensorTree tree;
  (tree.children.emplace_back("", tensor_tree(inputs)), ...);
  while (tree.children.size() > 1 && tree.children.back().second.empty()) tree.children.pop_back();
  if (tree.children.size() == 1) return TensorTree(std::move(tree.children.front().second));
  return tree;
}

}  // namespace detail

}  // namespace grapnel
