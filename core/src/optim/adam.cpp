#include "grapnel/optim/adam.h"

#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>

#include "optim/fused_lists.h"
#include "values/float_limits.h"

namespace grapnel {

namespace {

template <class O>
std::vector<Option<O>> adam_options(std::string weight_decay) {
  return {
      option("lr", &O::lr).at_least(0).at_most(kLargestFloat).doc("Learning rate."),
      option("beta1", &O::beta1).at_least(0).below(1).doc("Decay of the mean of gradients."),
      option("beta2", &O::beta2).at_least(0).below(1).doc("Decay of the mean of their squares."),
      option("eps", &O::eps).at_least(0).at_most(kLargestFloat).doc("Added to the denominator."),
      option("weight_decay", &O::weight_decay)
          .at_least(0)
          .at_most(kLargestFloat)
          .doc(std::move(weight_decay)),
      option("amsgrad", &O::amsgrad).doc("Divide by the largest mean of squares so far."),
      option("maximize", &O::maximize).doc("Go up instead of down.")};
}

}  // namespace

const OptionsTable<AdamOptions>& Adam::options_table() {
  static const OptionsTable<AdamOptions> table(
      "Adam", "Adam: steps scaled by running moments.",
      adam_options<AdamOptions>("L2 penalty, added to the gradient."));
  return table;
}

const OptionsTable<AdamWOptions>& AdamW::options_table() {
  static const OptionsTable<AdamWOptions> table(
      "AdamW", "Adam with a weight decay apart from the gradient.",
      adam_options<AdamWOptions>("Share of lr by which the parameters shrink each step."));
  return table;
}

Adam::Adam(std::vector<at::Tensor> params, const AdamOptions& options)
    : Adam(one_group(std::move(params)), options) {}

Adam::Adam(std::vector<ParamGroup> groups, const AdamOptions& options)
    : Adam(options_table().parameters(), options_table().write(options), std::move(groups),
           WeightDecay::l2) {}

Adam::Adam(const ParameterTable& table, const ConfigValue& options, std::vector<ParamGroup> groups,
           WeightDecay weight_decay)
    : TableOptimizer(table, options),
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
    : Adam(options_table().parameters(), options_table().write(options), std::move(groups),
           WeightDecay::decoupled) {}

}  // namespace grapnel
