// The model's parameters and buffers, and leases that replace them temporarily.
//
//   for (const Parameter& parameter : event.parameters()) parameter.name(), parameter.grad()
//
// The host swaps weights, never the plugin: it undoes a Lease when the run fails, and a checkpoint
// written during a lease has the training weights as the model's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <grapnel/plugin/tensor.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {

#if GRAPNEL_ABI_TARGET >= 5
/// How layers such as dropout behave in Services::forward.
enum class ForwardMode : std::int32_t {
  as_is = GRAPNEL_FORWARD_AS_IS,  ///< each in the mode that it has now
  eval = GRAPNEL_FORWARD_EVAL,    ///< all in eval mode
};
namespace detail {
template <>
struct Appended<&grapnel_module::forward> {
  static constexpr int minor = 5;
};
}  // namespace detail
#endif

/// One parameter or buffer; valid until the module's generation changes.
class Parameter {
 public:
  Parameter(detail::Context& context, const grapnel_module_entry& entry, std::size_t index) noexcept
      : context_(&context), entry_(&entry), index_(index) {}

  std::string_view name() const { return detail::from_abi(entry_->name); }  ///< "layers.0.weight"
  std::size_t index() const { return index_; }               ///< in the model's order
  bool trainable() const { return entry_->trainable != 0; }  ///< buffers never are
  Tensor tensor() const { return Tensor::retain(*context_, entry_->tensor); }
  /// 1 for elements that stay, 0 for pruned ones, in the tensor's shape; undefined for a parameter
  /// that is not pruned. Live and read only: more elements may be pruned from hook to hook. The
  /// model computes with tensor() * mask(); names don't change when a parameter is pruned.
  Tensor mask() const {
    return entry_->mask == nullptr ? Tensor() : Tensor::retain(*context_, entry_->mask);
  }
  /// Undefined while there is none. Only for parameters.
  Tensor grad() const { return grad_of(*context_, index_); }

  // For the wrapper.
  static Tensor grad_of(detail::Context& context, std::size_t index) {
    grapnel_tensor* owned = nullptr;
    const auto status = context.call<&grapnel_module::grad>(index, &owned);
    if (!detail::check_found(status, "the gradient of a parameter")) return {};
    return Tensor::adopt(context, owned);
  }
  grapnel_tensor* live_handle() const noexcept { return entry_->tensor; }
  detail::Context& context() const noexcept { return *context_; }

 private:
  detail::Context* context_;
  const grapnel_module_entry* entry_;
  std::size_t index_;
};

/// The live tensors of a selection, for operators over many at once; valid until the module's
/// generation changes.
inline TensorList live_tensors(const std::vector<Parameter>& selection) {
  if (selection.empty()) return {};
  std::vector<grapnel_tensor*> handles;
  handles.reserve(selection.size());
  for (const Parameter& parameter : selection) handles.push_back(parameter.live_handle());
  return TensorList::adopt(selection.front().context(), std::move(handles), false);
}

/// All parameters, or all buffers, in the model's order.
class ParameterRange {
 public:
  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Parameter;
    using difference_type = std::ptrdiff_t;
    using pointer = const Parameter*;
    using reference = Parameter;

    iterator(const ParameterRange& range, std::size_t index) : range_(&range), index_(index) {}
    Parameter operator*() const { return (*range_)[index_]; }
    iterator& operator++() {
      ++index_;
      return *this;
    }
    bool operator==(const iterator& other) const { return index_ == other.index_; }
    bool operator!=(const iterator& other) const { return index_ != other.index_; }

   private:
    const ParameterRange* range_;
    std::size_t index_;
  };

  ParameterRange(detail::Context& context, std::int32_t kind) : context_(&context), kind_(kind) {
    std::uint64_t count = 0;
    detail::check(context.call<&grapnel_module::count>(kind, &count), "the model's parameters");
    size_ = static_cast<std::size_t>(count);
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  iterator begin() const { return {*this, 0}; }
  iterator end() const { return {*this, size_}; }
  /// i < size(), else Error.
  Parameter operator[](std::size_t i) const {
    const grapnel_module_entry* entry = nullptr;
    detail::check(context_->call<&grapnel_module::entry>(kind_, i, &entry),
                  "entry " + std::to_string(i) + " of the model");
    return Parameter(*context_, *entry, i);
  }
  /// The gradient of parameter i, i < size(), else Error; undefined while there is none. Without
  /// the rest of the parameter, for those who look at every gradient of every step.
  Tensor grad(std::size_t i) const { return Parameter::grad_of(*context_, i); }
  /// All of them; see live_tensors.
  TensorList tensors() const { return live_tensors({begin(), end()}); }

 private:
  detail::Context* context_;
  std::int32_t kind_;
  std::size_t size_ = 0;
};

/// Replaces tensors of the model, or freezes them, until this object is destroyed or end() is called.
class Lease {
 public:
  Lease() = default;
  Lease(Lease&& other) noexcept
      : context_(other.context_), lease_(std::exchange(other.lease_, nullptr)) {}
  Lease& operator=(Lease&& other) noexcept {
    std::swap(context_, other.context_);
    std::swap(lease_, other.lease_);
    return *this;
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() {
    if (lease_ != nullptr) end_quietly();
  }

  explicit operator bool() const noexcept { return lease_ != nullptr; }

  /// Gives the model its own weights back. Does nothing for an empty lease, or if the host has
  /// already undone it after a failure.
  void end() {
    if (grapnel_lease* lease = std::exchange(lease_, nullptr)) {
      const auto status = context_->call<&grapnel_module::end_lease>(lease);
      detail::check_found(status, "ending a lease of weights");
    }
  }

  /// See Services::lease_weights.
  static Lease begin(detail::Context& context, const std::vector<std::uint64_t>& parameters,
                     const std::vector<std::uint64_t>& buffers, const TensorList& tensors,
                     std::string_view reason) {
    if (tensors.size() != parameters.size() + buffers.size()) {
      throw Error("a lease of " + std::to_string(parameters.size() + buffers.size()) +
                  " weights got " + std::to_string(tensors.size()) + " tensors");
    }
    Lease lease;
    lease.context_ = &context;
    detail::check(context.call<&grapnel_module::lease_weights>(
                      parameters.data(), parameters.size(), buffers.data(), buffers.size(),
                      tensors.handles(), detail::to_abi(reason), &lease.lease_),
                  "leasing weights");
    return lease;
  }
  /// See Services::freeze.
  static Lease freeze(detail::Context& context, const std::vector<std::uint64_t>& parameters,
                      std::string_view reason) {
    Lease lease;
    lease.context_ = &context;
    detail::check(context.call<&grapnel_module::freeze>(parameters.data(), parameters.size(),
                                                        detail::to_abi(reason), &lease.lease_),
                  "freezing parameters");
    return lease;
  }

 private:
  void end_quietly() noexcept {
    try {
      end();
    } catch (
        ...) {  // a destructor cannot report it; the host logs the reason and undoes leases itself
    }
  }

  detail::Context* context_ = nullptr;
  grapnel_lease* lease_ = nullptr;
};

}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
