#include "grapnel/callbacks/backbone_finetuning.h"

#include <fmt/format.h>

#include <cmath>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/trainer.h"
#include "text/python_format.h"

namespace grapnel {

namespace {

double rounded_to(double value, int64_t digits) {
  const double scale = std::pow(10.0, static_cast<double>(digits));
  const double scaled = std::nearbyint(value * scale);
  return std::isfinite(scaled) ? scaled / scale : value;
}

void check_rate(const char* name, double value) {
  if (value > 0.0 && std::isfinite(value)) return;
  throw ConfigError(
      {}, fmt::format("BackboneFinetuning: {} is {}; it must be above 0 and finite", name, value),
      name);
}

}  // namespace

BackboneFinetuning::BackboneFinetuning(BackboneFinetuningOptions options)
    : options_(std::move(options)) {
  if (options_.unfreeze_backbone_at_epoch < 0) {
    throw ConfigError({},
                      fmt::format("BackboneFinetuning: unfreeze_backbone_at_epoch is {}; accepted "
                                  "are 0 and more",
                                  options_.unfreeze_backbone_at_epoch),
                      "unfreeze_backbone_at_epoch");
  }
  if (!options_.lambda_func) {
    throw ConfigError({}, "BackboneFinetuning: lambda_func is empty", "lambda_func");
  }
  check_rate("backbone_initial_ratio_lr", options_.backbone_initial_ratio_lr);
  check_rate("initial_denom_lr", options_.initial_denom_lr);
  if (options_.backbone_initial_lr) {
    check_rate("backbone_initial_lr", *options_.backbone_initial_lr);
  }
  if (options_.rounding < 0 || options_.rounding > 17) {
    throw ConfigError({},
                      fmt::format("BackboneFinetuning: rounding is {}; accepted are 0 to 17 digits",
                                  options_.rounding),
                      "rounding");
  }
}

const ParameterTable& BackboneFinetuning::parameters() {
  using namespace parameter;
  static const ParameterTable table(
      "backbone_finetuning", "Trains the head first, then the part \"backbone\" too.",
      {integer("unfreeze_backbone_at_epoch", 10)
           .at_least(0)
           .doc("Epoch, from 0, at whose start the backbone becomes trainable."),
       number("lambda_func", 2.0)
           .above(0)
           .doc("Factor on the backbone's learning rate at every later epoch."),
       number("backbone_initial_ratio_lr", 0.1)
           .above(0)
           .doc("The backbone's first learning rate as a share of the first group's."),
       number("backbone_initial_lr")
           .nullable()
           .above(0)
           .doc("The backbone's first learning rate, instead of the share."),
       boolean("should_align", true)
           .doc("Keep the backbone's learning rate from passing the first group's."),
       number("initial_denom_lr", 10.0).above(0).doc("Taken for compatibility; has no effect."),
       boolean("train_bn", true)
           .doc("Optimize the batch normalizations of the backbone once it is unfrozen."),
       boolean("verbose", false).doc("Log both learning rates at every epoch."),
       integer("rounding", 12)
           .at_least(0)
           .at_most(17)
           .unit("digits after the point")
           .doc("Precision of those logs.")});
  return table;
}

BackboneFinetuningOptions BackboneFinetuning::options_from(const Parameters& p) {
  return {.unfreeze_backbone_at_epoch = p.get<int64_t>("unfreeze_backbone_at_epoch"),
          .lambda_func = [factor = p.get<double>("lambda_func")](int64_t) { return factor; },
          .backbone_initial_ratio_lr = p.get<double>("backbone_initial_ratio_lr"),
          .backbone_initial_lr = p.get<std::optional<double>>("backbone_initial_lr"),
          .should_align = p.get<bool>("should_align"),
          .initial_denom_lr = p.get<double>("initial_denom_lr"),
          .train_bn = p.get<bool>("train_bn"),
          .verbose = p.get<bool>("verbose"),
          .rounding = p.get<int64_t>("rounding")};
}

std::shared_ptr<BackboneFinetuning> BackboneFinetuning::from(const Parameters& p) {
  return std::make_shared<BackboneFinetuning>(options_from(p));
}

StateDict BackboneFinetuning::state_dict() const {
  StateDict state = BaseFinetuning::state_dict();
  state["previous_backbone_lr"] =
      previous_backbone_lr_ ? StateValue(*previous_backbone_lr_) : StateValue();
  return state;
}

void BackboneFinetuning::load_state_dict(const StateDict& state) {
  const StateValue& saved = state.at("previous_backbone_lr");
  const auto rate = saved.is_null() ? std::nullopt : std::optional(saved.to_double());
  BaseFinetuning::load_state_dict(state);
  previous_backbone_lr_ = rate;
}

void BackboneFinetuning::setup(StageEvent& event) {
  if (event.run == RunKind::fit && event.trainer.current_epoch() == 0) {
    previous_backbone_lr_.reset();
  }
  BaseFinetuning::setup(event);
}

void BackboneFinetuning::freeze_before_training(Module& module) {
  try {
    freeze(module, {kPart});
  } catch (const ConfigError& error) {
    throw ConfigError({},
                      fmt::format("BackboneFinetuning needs a part named {} in {}: {}", kPart,
                                  module.type_name(), error.what()),
                      kPart);
  }
}

void BackboneFinetuning::finetune(Module& module, int64_t epoch, Optimizer& optimizer, int64_t) {
  if (optimizer.groups().empty() || epoch < options_.unfreeze_backbone_at_epoch) return;
  const double first_lr = optimizer.groups().front().options.find("lr")->second;
  if (epoch == options_.unfreeze_backbone_at_epoch) {
    previous_backbone_lr_ =
        options_.backbone_initial_lr.value_or(first_lr * options_.backbone_initial_ratio_lr);
    unfreeze_and_add_param_group(module, {kPart}, optimizer,
                                 {.lr = *previous_backbone_lr_,
                                  .initial_denom_lr = options_.initial_denom_lr,
                                  .train_bn = options_.train_bn});
  } else if (previous_backbone_lr_) {
    double next = options_.lambda_func(epoch + 1) * *previous_backbone_lr_;
    if (options_.should_align && next > first_lr) next = first_lr;
    optimizer.groups().back().options["lr"] = next;
    previous_backbone_lr_ = next;
  }
  report(first_lr);
}

void BackboneFinetuning::report(double first_lr) const {
  if (!options_.verbose || !previous_backbone_lr_) return;
  log_info("learning rate {}, of the backbone {}",
           python_repr(rounded_to(first_lr, options_.rounding)),
           python_repr(rounded_to(*previous_backbone_lr_, options_.rounding)));
}

}  // namespace grapnel
