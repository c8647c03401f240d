#include "grapnel/optim/rmsprop.h"

#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_addcdiv.h>
#include <ATen/ops/_foreach_addcmul.h>
#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_neg.h>
#include <ATen/ops/_foreach_sqrt.h>

#include "optim/fused_lists.h"
#include "values/float_limits.h"

namespace grapnel {

const OptionsTable<RMSpropOptions>& RMSprop::options_table() {
  using O = RMSpropOptions;
  static const OptionsTable<RMSpropOptions> table(
      "RMSprop", "Steps scaled by the mean of recent squared gradients.",
      {option("lr", &O::lr).at_least(0).at_most(kLargestFloat).doc("Learning rate."),
       option("alpha", &O::alpha).at_least(0).at_most(1).doc("Decay of the mean of squares."),
       option("eps", &O::eps).at_least(0).at_most(kLargestFloat).doc("Added to the denominator."),
       option("weight_decay", &O::weight_decay)
           .at_least(0)
           .at_most(kLargestFloat)
           .doc("L2 penalty, added to the gradient."),
       option("momentum", &O::momentum)
           .at_least(0)
           .at_most(1)
           .doc("Share of the last direction that is kept."),
       option("centered", &O::centered).doc("Divide by an estimate of the gradient's deviation."),
       option("maximize", &O::maximize).doc("Go up instead of down.")});
  return table;
}

RMSprop::RMSprop(std::vector<at::Tensor> params, const RMSpropOptions& options)
    : RMSprop(one_group(std::move(params)), options) {}

RMSprop::RMSprop(std::vector<ParamGroup> groups, const RMSpropOptions& options)
    : TableOptimizer(options_table(), options), lists_(std::make_unique<FusedLists>()) {
  add_groups(std::move(groups));
}

RMSprop::~RMSprop() = default;

// LibTorch has no fused kernel for RMSprop; its own optimizer is a row of foreach operators too.
void RMSprop::update(ParamGroup& group) {
  const auto& options = group.options;
  const double lr = options.at("lr");
  const double alpha = options.at("alpha");
  const double momentum = options.at("momentum");
  const bool centered = options.at("centered") == 1.0;
  const auto member_of = [&](const at::Tensor& param) -> FusedLists::Member {
    ParamState& state = state_of(param);
    if (!state["step"].defined()) {
      state["step"] = new_step(param);
      state["square_avg"] = zeros_for(param);
    }
    FusedLists::Member member{{state["step"], state["square_avg"]}};
    if (momentum > 0.0) {
      at::Tensor& buffer = state["momentum_buffer"];
      if (!buffer.defined()) buffer = zeros_for(param);
      member.state.push_back(buffer);
    }
    if (centered) {
      at::Tensor& mean = state["grad_avg"];
      if (!mean.defined()) mean = zeros_for(param);
      member.state.push_back(mean);
    }
    return member;
  };
  const auto update_list = [&](FusedLists::List& list) {
    advance_steps(list.state[0]);
    std::vector<at::Tensor> grads = list.grads;
    if (options.at("maximize") == 1.0) grads = at::_foreach_neg(grads);
    if (options.at("weight_decay") != 0.0) {
      grads = at::_foreach_add(grads, list.params, options.at("weight_decay"));
    }
    std::vector<at::Tensor>& square_avg = list.state[1];
    at::_foreach_mul_(square_avg, alpha);
    at::_foreach_addcmul_(square_avg, grads, grads, 1 - alpha);
    std::vector<at::Tensor> deviation;
    if (centered) {
      std::vector<at::Tensor>& grad_avg = list.state.back();
      at::_foreach_lerp_(grad_avg, grads, 1 - alpha);
      deviation = at::_foreach_addcmul(square_avg, grad_avg, grad_avg, -1);
      at::_foreach_sqrt_(deviation);
    } else {
      deviation = at::_foreach_sqrt(square_avg);
    }
    at::_foreach_add_(deviation, options.at("eps"));
    if (momentum > 0.0) {
      std::vector<at::Tensor>& buffer = list.state[2];
      at::_foreach_mul_(buffer, momentum);
      at::_foreach_addcdiv_(buffer, grads, deviation);
      at::_foreach_add_(list.params, buffer, -lr);
    } else {
      at::_foreach_addcdiv_(list.params, grads, deviation, -lr);
    }
  };
  lists_->update(*this, group, (momentum > 0.0 ? 1 : 0) + (centered ? 2 : 0), member_of,
                 update_list);
}

void RMSprop::on_state_changed() {
  lists_->clear();
}

}  // namespace grapnel
