// FlopCounter: LibTorch reports every operator that runs (RecordFunction, as its profiler hears of
// them), with its inputs; their shapes give the count.
#include <ATen/record_function.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string_view>
#include <vector>

#include "grapnel/layer_observer.h"

namespace grapnel {

struct FlopCounter::State {
  std::atomic<int64_t> flops = 0;  // threads of the backward pass add too
  State* outer = nullptr;
  at::CallbackHandle callback = at::INVALID_CALLBACK_HANDLE;  // of the outermost
  static thread_local State* innermost;
};

thread_local FlopCounter::State* FlopCounter::State::innermost = nullptr;

namespace {

using Inputs = c10::ArrayRef<const c10::IValue>;
using Sizes = std::vector<int64_t>;

Sizes sizes_of(const Inputs& inputs, size_t index) {
  if (index >= inputs.size() || !inputs[index].isTensor()) return {};
  const at::Tensor& tensor = inputs[index].toTensor();
  return tensor.defined() && !tensor.is_nested() ? tensor.sizes().vec() : Sizes();
}

int64_t product(const Sizes& sizes, size_t from = 0) {
  int64_t all = 1;
  for (size_t i = from; i < sizes.size(); ++i) all *= sizes[i];
  return all;
}

// [m, k] x [k, n]
int64_t mm(const Sizes& a, const Sizes& b) {
  if (a.size() != 2 || b.size() != 2) return 0;
  return 2 * a[0] * a[1] * b[1];
}

// [b, m, k] x [b, k, n]
int64_t bmm(const Sizes& a, const Sizes& b) {
  if (a.size() != 3 || b.size() != 3) return 0;
  return 2 * a[0] * a[1] * a[2] * b[2];
}

// Element i of a list that may have one element for all dimensions.
int64_t along(const c10::List<int64_t>& list, size_t i) {
  return list.get(list.size() == 1 ? 0 : i);
}

// input, weight, bias, stride, padding, dilation, transposed, ...: each place of the output (of a
// transposed one: of the input) sees the whole filter.
int64_t convolution(const Inputs& inputs) {
  const Sizes x = sizes_of(inputs, 0);
  const Sizes w = sizes_of(inputs, 1);
  if (x.size() < 3 || w.size() != x.size() || inputs.size() < 7) return 0;
  int64_t places = 1;
  if (inputs[6].toBool()) {
    places = product(x, 2);
  } else {
    const auto stride = inputs[3].toIntList();
    const auto padding = inputs[4].toIntList();
    const auto dilation = inputs[5].toIntList();
    for (size_t i = 0; i + 2 < x.size(); ++i) {
      const int64_t covered = along(dilation, i) * (w[i + 2] - 1) + 1;
      places *= (x[i + 2] + 2 * along(padding, i) - covered) / along(stride, i) + 1;
    }
  }
  return 2 * x[0] * places * product(w);
}

// grad_output, input, weight, bias sizes, stride, padding, dilation, transposed, output padding,
// groups, output mask: the input's gradient is a convolution by the weight, the weight's one of the
// input by the output's gradient.
int64_t convolution_backward(const Inputs& inputs) {
  const Sizes grad = sizes_of(inputs, 0);
  const Sizes x = sizes_of(inputs, 1);
  const Sizes w = sizes_of(inputs, 2);
  if (x.size() < 3 || grad.size() != x.size() || w.size() != x.size() || inputs.size() < 11)
    return 0;
  const int64_t places = product(inputs[7].toBool() ? x : grad, 2);
  const auto wanted = inputs[10].toBoolList();
  int64_t flops = 0;
  if (wanted.get(0)) flops += 2 * x[0] * places * product(w);
  if (wanted.get(1)) flops += 2 * x[0] * places * product(w, 2) * x[1] * grad[1];
  return flops;
}

// Queries [b, h, s_q, d], keys [b, h_kv, s_k, d], values [b, h_kv, s_k, d_v] from input `first` on;
// products that each head makes.
int64_t attention(const Inputs& inputs, size_t first, int64_t by_query, int64_t by_value) {
  const Sizes q = sizes_of(inputs, first);
  const Sizes k = sizes_of(inputs, first + 1);
  const Sizes v = sizes_of(inputs, first + 2);
  if (q.size() != 4 || k.size() != 4 || v.size() != 4) return 0;
  return 2 * q[0] * q[1] * q[2] * k[2] * (by_query * q[3] + by_value * v[3]);
}

struct Formula {
  std::string_view name;
  int64_t (*flops)(const Inputs& inputs);
};

int64_t attention_forward(const Inputs& inputs) {
  return attention(inputs, 0, 1, 1);
}
// The scores again, then the gradients of scores, values, queries and keys.
int64_t attention_backward(const Inputs& inputs) {
  return attention(inputs, 1, 3, 2);
}

// clang-format off
constexpr Formula kFormulas[] = {
    {"aten::mm", [](const Inputs& in) { return mm(sizes_of(in, 0), sizes_of(in, 1)); }},
    {"aten::addmm", [](const Inputs& in) { return mm(sizes_of(in, 1), sizes_of(in, 2)); }},
    {"aten::_scaled_mm", [](const Inputs& in) { return mm(sizes_of(in, 0), sizes_of(in, 1)); }},
    {"aten::bmm", [](const Inputs& in) { return bmm(sizes_of(in, 0), sizes_of(in, 1)); }},
    {"aten::baddbmm", [](const Inputs& in) { return bmm(sizes_of(in, 1), sizes_of(in, 2)); }},
    {"aten::convolution", convolution},
    {"aten::_convolution", convolution},
    {"aten::convolution_overrideable", convolution},
    {"aten::convolution_backward", convolution_backward},
    {"aten::_scaled_dot_product_efficient_attention", attention_forward},
    {"aten::_scaled_dot_product_flash_attention", attention_forward},
    {"aten::_scaled_dot_product_flash_attention_for_cpu", attention_forward},
    {"aten::_scaled_dot_product_cudnn_attention", attention_forward},
    {"aten::_scaled_dot_product_efficient_attention_backward", attention_backward},
    {"aten::_scaled_dot_product_flash_attention_backward", attention_backward},
    {"aten::_scaled_dot_product_flash_attention_for_cpu_backward", attention_backward},
    {"aten::_scaled_dot_product_cudnn_attention_backward", attention_backward},
};
// clang-format on

// The active counter, for the threads of a backward pass, which have no counter themselves.
std::atomic<void*> standing = nullptr;

// Within a counted operator of this thread: what it is made of isn't counted again.
thread_local int inside_counted = 0;

struct Counted final : at::ObserverContext {};

}  // namespace

// The two callbacks: LibTorch takes plain functions.
struct FlopCallbacks {
  template <class State>
  static std::unique_ptr<at::ObserverContext> start(const at::RecordFunction& function) {
    const std::string_view name = function.name();
    const auto formula = std::find_if(std::begin(kFormulas), std::end(kFormulas),
                                      [&](const Formula& known) { return known.name == name; });
    if (formula == std::end(kFormulas)) return nullptr;
    if (inside_counted++ == 0) {
      State* state = State::innermost;
      if (state == nullptr) state = static_cast<State*>(standing.load());
      const int64_t flops = formula->flops(function.inputs());
      for (; state != nullptr; state = state->outer) state->flops += flops;
    }
    return std::make_unique<Counted>();
  }
  static void end(const at::RecordFunction&, at::ObserverContext* context) {
    if (context != nullptr) --inside_counted;
  }
};

FlopCounter::FlopCounter() : state_(std::make_unique<State>()) {
  state_->outer = State::innermost;
  if (state_->outer == nullptr) {
    state_->callback = at::addThreadLocalCallback(
        at::RecordFunctionCallback(&FlopCallbacks::start<State>, &FlopCallbacks::end)
            .needsInputs(true)
            .scopes({at::RecordScope::FUNCTION}));
  }
  State::innermost = state_.get();
  standing = state_.get();
}

FlopCounter::~FlopCounter() {
  State::innermost = state_->outer;
  standing = state_->outer;
  if (state_->callback != at::INVALID_CALLBACK_HANDLE) at::removeCallback(state_->callback);
}

int64_t FlopCounter::total() const {
  return state_->flops;
}

}  // namespace grapnel
