#include "grapnel/optim/adagrad.h"

#include <ATen/ops/_fused_adagrad.h>

#include "optim/fused_lists.h"
#include "values/float_limits.h"

namespace grapnel {

const OptionsTable<AdagradOptions>& Adagrad::options_table() {
  using O = AdagradOptions;
  static const OptionsTable<AdagradOptions> table(
      "Adagrad", "Steps scaled by all past gradients of each parameter.",
      {option("lr", &O::lr).at_least(0).at_most(kLargestFloat).doc("Learning rate."),
       option("lr_decay", &O::lr_decay)
           .at_least(0)
           .at_most(kLargestFloat)
           .doc("Decay of the learning rate over steps."),
       option("weight_decay", &O::weight_decay)
           .at_least(0)
           .at_most(kLargestFloat)
           .doc("L2 penalty, added to the gradient."),
       option("initial_accumulator_value", &O::initial_accumulator_value)
           .at_least(0)
           .at_most(kLargestFloat)
           .doc("Sum of squared gradients before the first step."),
       option("eps", &O::eps).at_least(0).at_most(kLargestFloat).doc("Added to the denominator."),
       option("maximize", &O::maximize).doc("Go up instead of down.")});
  return table;
}

Adagrad::Adagrad(std::vector<at::Tensor> params, const AdagradOptions& options)
    : Adagrad(one_group(std::move(params)), options) {}

Adagrad::Adagrad(std::vector<ParamGroup> groups, const AdagradOptions& options)
    : TableOptimizer(options_table(), options), lists_(std::make_unique<FusedLists>()) {
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
