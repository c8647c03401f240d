#include "grapnel/optim/adagrad.h"

#include <ATen/ops/_fused_adagrad.h>

#include "optim/fused_lists.h"

namespace grapnel {

const ParameterTable& Adagrad::table() {
  using namespace parameter;
  static const ParameterTable table(
      "Adagrad", "Steps scaled by all past gradients of each parameter.",
      {number("lr", 1e-2).at_least(0).doc("Learning rate."),
       number("lr_decay", 0.0).at_least(0).doc("Decay of the learning rate over steps."),
       number("weight_decay", 0.0).at_least(0).doc("L2 penalty, added to the gradient."),
       number("initial_accumulator_value", 0.0)
           .at_least(0)
           .doc("Sum of squared gradients before the first step."),
       number("eps", 1e-10).at_least(0).doc("Added to the denominator."),
       boolean("maximize", false).doc("Go up instead of down.")});
  return table;
}

Adagrad::Adagrad(std::vector<at::Tensor> params, const AdagradOptions& options)
    : Adagrad(one_group(std::move(params)), options) {}

Adagrad::Adagrad(std::vector<ParamGroup> groups, const AdagradOptions& options)
    : TableOptimizer(table(), {{"lr", options.lr},
                               {"lr_decay", options.lr_decay},
                               {"weight_decay", options.weight_decay},
                               {"initial_accumulator_value", options.initial_accumulator_value},
                               {"eps", options.eps},
                               {"maximize", options.maximize}}),
      lists_(std::make_unique<FusedLists>()) {
  add_groups(std::move(groups));
}

Adagrad::~Adagrad() = default;

void Adagrad::update(ParamGroup& group) {
  const auto& options = group.options;
  const auto member_of = [&](const at::Tensor& param) -> FusedLists::Member {
    ParamState& state = state_of(param);
    if (!state["step"].defined()) {
      state["step"] = new_step(param);
      state["sum"] = zeros_for(param).fill_(options.at("initial_accumulator_value"));
    }
    return {{state["step"], state["sum"]}};
  };
  const auto update_list = [&](FusedLists::List& list) {
    advance_steps(list.state[0]);
    at::_fused_adagrad_(list.params, list.grads, list.state[1], list.state[0], options.at("lr"),
                        options.at("lr_decay"), options.at("weight_decay"), options.at("eps"),
                        options.at("maximize") == 1.0);
  };
  lists_->update(*this, group, 0, member_of, update_list);
}

void Adagrad::on_state_changed() {
  lists_->clear();
}

}  // namespace grapnel
