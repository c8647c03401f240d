#include "optim/fused_lists.h"

#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "grapnel/base/error.h"

namespace grapnel {

namespace {

[[noreturn]] void refuse(const at::Tensor& param, std::string_view why) {
  throw ConfigError::of("", "cannot update a parameter of shape [{}]: {}",
                        fmt::join(param.sizes(), ", "), why);
}

// The gradient in the parameter's layout.
at::Tensor laid_out(const at::Tensor& grad, const at::Tensor& param) {
  if (grad.layout() != c10::kStrided) {
    refuse(param, "its gradient is sparse; make it dense (Embedding: sparse = false)");
  }
  if (grad.scalar_type() != param.scalar_type() || grad.device() != param.device()) {
    refuse(param, fmt::format("its gradient is {} on {}, it is {} on {}",
                              c10::toString(grad.scalar_type()), grad.device().str(),
                              c10::toString(param.scalar_type()), param.device().str()));
  }
  if (grad.strides() == param.strides() && grad.sizes() == param.sizes()) return grad;
  return at::empty_like(param).copy_(grad);
}

}  // namespace

void FusedLists::update(const Optimizer& optimizer, const ParamGroup& group, int layout,
                        const MemberOf& member_of, const Kernel& kernel) {
  const size_t index = static_cast<size_t>(&group - optimizer.groups().data());
  for (List& list : gather(index, group, layout, member_of)) {
    kernel(list);
    // Held longer, gradients would take memory that zero_grad means to give back.
    for (at::Tensor& grad : list.grads) grad.reset();
  }
}

std::vector<FusedLists::List>& FusedLists::gather(size_t index, const ParamGroup& group, int layout,
                                                  const MemberOf& member_of) {
  if (groups_.size() <= index) groups_.resize(index + 1);
  Group& cached = groups_[index];
  if (cached.layout != layout) cached = {.layout = layout};

  size_t count = 0;
  bool same = true;
  for (const at::Tensor& param : group.params) {
    if (!param.grad().defined()) continue;
    same = same && count < cached.members.size() &&
           cached.members[count] == param.unsafeGetTensorImpl();
    ++count;
  }
  if (!same || count != cached.members.size()) build(cached, group, member_of);

  size_t k = 0;
  for (const at::Tensor& param : group.params) {
    if (!param.grad().defined()) continue;
    const auto [list, place] = cached.places[k++];
    cached.lists[list].grads[place] = laid_out(param.grad(), param);
  }
  return cached.lists;
}

void FusedLists::build(Group& cached, const ParamGroup& group, const MemberOf& member_of) {
  Group fresh{.layout = cached.layout};
  cached.members.clear();
  for (const at::Tensor& param : group.params) {
    if (!param.grad().defined()) continue;
    if (!param.is_non_overlapping_and_dense()) {
      refuse(param, "its memory overlaps or has gaps; make it with contiguous()");
    }
    Member member = member_of(param);
    size_t at = 0;
    for (; at < fresh.lists.size(); ++at) {
      const List& list = fresh.lists[at];
      const at::Tensor& other = list.params.front();
      if (list.variant == member.variant && other.device() == param.device() &&
          other.scalar_type() == param.scalar_type()) {
        break;
      }
    }
    if (at == fresh.lists.size()) {
      fresh.lists.emplace_back().variant = member.variant;
      fresh.lists.back().state.resize(member.state.size());
    }
    List& list = fresh.lists[at];
    fresh.members.push_back(param.unsafeGetTensorImpl());
    fresh.places.emplace_back(at, list.params.size());
    list.params.push_back(param);
    list.grads.emplace_back();
    for (size_t i = 0; i < member.state.size(); ++i) {
      list.state[i].push_back(std::move(member.state[i]));
    }
  }
  cached = std::move(fresh);
}

at::Tensor zeros_for(const at::Tensor& param) {
  return at::zeros_like(param.detach(), c10::MemoryFormat::Preserve);
}

at::Tensor new_step(const at::Tensor& param) {
  return at::zeros({}, param.options().dtype(c10::kFloat).requires_grad(false));
}

void advance_steps(std::vector<at::Tensor>& steps) {
  if (steps.empty()) return;
  if (!steps.front().is_cpu()) {
    at::_foreach_add_(steps, 1);
    return;
  }
  // An operator call per counter would cost more than the update of a small parameter.
  for (at::Tensor& step : steps) *step.mutable_data_ptr<float>() += 1.0F;
}

}  // namespace grapnel
