#include "grapnel/optim/sgd.h"

#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/empty_like.h>

#include "grapnel/base/error.h"
#include "optim/fused_lists.h"
#include "values/float_limits.h"

namespace grapnel {

const OptionsTable<SGDOptions>& SGD::options_table() {
  using O = SGDOptions;
  static const OptionsTable<SGDOptions> table(
      "SGD", "Stochastic gradient descent, with momentum if wanted.",
      {option("lr", &O::lr).at_least(0).at_most(kLargestFloat).doc("Learning rate."),
       option("momentum", &O::momentum)
           .at_least(0)
           .at_most(1)
           .doc("Share of the last direction that is kept."),
       option("dampening", &O::dampening)
           .at_least(0)
           .at_most(1)
           .doc("Share of the gradient that the momentum leaves out."),
       option("weight_decay", &O::weight_decay)
           .at_least(0)
           .at_most(kLargestFloat)
           .doc("L2 penalty, added to the gradient."),
       option("nesterov", &O::nesterov).doc("Look ahead along the momentum."),
       option("maximize", &O::maximize).doc("Go up instead of down.")});
  return table;
}

SGD::SGD(std::vector<at::Tensor> params, const SGDOptions& options)
    : SGD(one_group(std::move(params)), options) {}

SGD::SGD(std::vector<ParamGroup> groups, const SGDOptions& options)
    : TableOptimizer(options_table(), options), lists_(std::make_unique<FusedLists>()) {
  add_groups(std::move(groups));
}

SGD::~SGD() = default;

void SGD::validate(const ParamGroup& group) const {
  TableOptimizer::validate(group);
  if (group.options.at("nesterov") == 1.0 &&
      (group.options.at("momentum") == 0.0 || group.options.at("dampening") != 0.0)) {
    throw ConfigError({}, "SGD: nesterov needs a momentum above 0 and a dampening of 0",
                      "nesterov");
  }
}

void SGD::update(ParamGroup& group) {
  const double momentum = group.options.at("momentum");
  enum Variant { later_step, first_step };
  const auto member_of = [&](const at::Tensor& param) -> FusedLists::Member {
    if (momentum == 0.0) return {};
    at::Tensor& buffer = state_of(param)["momentum_buffer"];
    const bool is_first = !buffer.defined();
    if (is_first) buffer = zeros_for(param);
    return {{buffer}, is_first ? first_step : later_step};
  };
  bool had_first = false;
  const auto update_list = [&](FusedLists::List& list) {
    at::_fused_sgd_(list.params, list.grads,
                    momentum == 0.0 ? at::TensorList() : at::TensorList(list.state[0]),
                    group.options.at("weight_decay"), momentum, group.options.at("lr"),
                    group.options.at("dampening"), group.options.at("nesterov") == 1.0,
                    group.options.at("maximize") == 1.0, list.variant == first_step);
    had_first = had_first || list.variant == first_step;
  };
  lists_->update(*this, group, momentum != 0.0 ? 1 : 0, member_of, update_list);
  if (had_first) lists_->clear();
}

void SGD::on_state_changed() {
  lists_->clear();
}

}  // namespace grapnel
