#include "grapnel/optim/adam.h"

#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>

#include "optim/fused_lists.h"

namespace grapnel {

namespace {

ParameterTable make_table(std::string name, std::string summary, ParameterSpec weight_decay) {
  using namespace parameter;
  return ParameterTable(
      std::move(name), std::move(summary),
      {number("lr", 1e-3).at_least(0).doc("Learning rate."),
       number("beta1", 0.9).at_least(0).below(1).doc("Decay of the mean of gradients."),
       number("beta2", 0.999).at_least(0).below(1).doc("Decay of the mean of their squares."),
       number("eps", 1e-8).at_least(0).doc("Added to the denominator."), std::move(weight_decay),
       boolean("amsgrad", false).doc("Divide by the largest mean of squares so far."),
       boolean("maximize", false).doc("Go up instead of down.")});
}

AdamOptions as_adam(const AdamWOptions& options) {
  return {.lr = options.lr,
          .beta1 = options.beta1,
          .beta2 = options.beta2,
          .eps = options.eps,
          .weight_decay = options.weight_decay,
          .amsgrad = options.amsgrad,
          .maximize = options.maximize};
}

}  // namespace

const ParameterTable& Adam::table() {
  static const ParameterTable table = make_table(
      "Adam", "Adam: steps scaled by running moments.",
      parameter::number("weight_decay", 0.0).at_least(0).doc("L2 penalty, added to the gradient."));
  return table;
}

const ParameterTable& AdamW::table() {
  static const ParameterTable table =
      make_table("AdamW", "Adam with a weight decay apart from the gradient.",
                 parameter::number("weight_decay", 1e-2)
                     .at_least(0)
                     .doc("Share of lr by which the parameters shrink each step."));
  return table;
}

Adam::Adam(std::vector<at::Tensor> params, const AdamOptions& options)
    : Adam(one_group(std::move(params)), options) {}

Adam::Adam(std::vector<ParamGroup> groups, const AdamOptions& options)
    : Adam(table(), std::move(groups), options, WeightDecay::l2) {}

Adam::Adam(const ParameterTable& table, std::vector<ParamGroup> groups, const AdamOptions& options,
           WeightDecay weight_decay)
    : TableOptimizer(table, {{"lr", options.lr},
                             {"beta1", options.beta1},
                             {"beta2", options.beta2},
                             {"eps", options.eps},
                             {"weight_decay", options.weight_decay},
                             {"amsgrad", options.amsgrad},
                             {"maximize", options.maximize}}),
      weight_decay_(weight_decay),
      lists_(std::make_unique<FusedLists>()) {
  add_groups(std::move(groups));
}

Adam::~Adam() = default;

void Adam::update(ParamGroup& group) {
  const auto& options = group.options;
  const bool amsgrad = options.at("amsgrad") == 1.0;
  const auto member_of = [&](const at::Tensor& param) -> FusedLists::Member {
    ParamState& state = state_of(param);
    if (!state["step"].defined()) {
      state["step"] = new_step(param);
      state["exp_avg"] = zeros_for(param);
      state["exp_avg_sq"] = zeros_for(param);
    }
    FusedLists::Member member{{state["step"], state["exp_avg"], state["exp_avg_sq"]}};
    if (amsgrad) {
      at::Tensor& largest = state["max_exp_avg_sq"];
      if (!largest.defined()) largest = zeros_for(param);
      member.state.push_back(largest);
    }
    return member;
  };
  const auto kernel = [this](auto&&... args) {
    return weight_decay_ == WeightDecay::decoupled ? at::_fused_adamw_(args...)
                                                   : at::_fused_adam_(args...);
  };
  const auto update_list = [&](FusedLists::List& list) {
    advance_steps(list.state[0]);
    kernel(
        at::TensorList(list.params), at::TensorList(list.grads), at::TensorList(list.state[1]),
        at::TensorList(list.state[2]), amsgrad ? at::TensorList(list.state[3]) : at::TensorList(),
        at::TensorList(list.state[0]), options.at("lr"), options.at("beta1"), options.at("beta2"),
        options.at("weight_decay"), options.at("eps"), amsgrad, options.at("maximize") == 1.0);
  };
  lists_->update(*this, group, amsgrad ? 1 : 0, member_of, update_list);
}

void Adam::on_state_changed() {
  lists_->clear();
}

AdamW::AdamW(std::vector<at::Tensor> params, const AdamWOptions& options)
    : AdamW(one_group(std::move(params)), options) {}

AdamW::AdamW(std::vector<ParamGroup> groups, const AdamWOptions& options)
    : Adam(table(), std::move(groups), as_adam(options), WeightDecay::decoupled) {}

}  // namespace grapnel
