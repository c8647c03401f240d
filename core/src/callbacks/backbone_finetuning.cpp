#include "grapnel/callbacks/backbone_finetuning.h"

#include <fmt/format.h>

#include <cmath>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/trainer.h"
#include "text/python_format.h"
#include "values/float_limits.h"

namespace grapnel {

namespace {

double rounded_to(double value, int64_t digits) {
  const double scale = std::pow(10.0, static_cast<double>(digits));
  const double scaled = std::nearbyint(value * scale);
  return std::isfinite(scaled) ? scaled / scale : value;
}

// run.json has a constant for it; in C++ it may be any function.
struct FactorOfEpoch {
  using Function = std::function<double(int64_t)>;
  static void describe(ParameterSpec& spec) { spec.types = {ParameterType::number}; }
  static Function read(const ConfigValue& value) { return ConstantFactor{value.as_double()}; }
  static std::optional<ConfigValue> write(const Function& factor) {
    const auto* constant = factor.target<ConstantFactor>();
    return constant == nullptr ? std::nullopt : std::optional<ConfigValue>(constant->factor);
  }
  static void check(const Function& factor) {
    if (!factor) throw ConfigError({}, "the function is empty");
  }
};

}  // namespace

BackboneFinetuning::BackboneFinetuning(BackboneFinetuningOptions options)
    : options_(std::move(options)) {
  options_table().check(options_, "BackboneFinetuning");
}

const OptionsTable<BackboneFinetuningOptions>& BackboneFinetuning::options_table() {
  using O = BackboneFinetuningOptions;
  static const OptionsTable<O> table(
      "backbone_finetuning", "Trains the head first, then the part \"backbone\" too.",
      {option("unfreeze_backbone_at_epoch", &O::unfreeze_backbone_at_epoch)
           .at_least(0)
           .doc("Epoch, from 0, at whose start the backbone becomes trainable."),
       option<FactorOfEpoch>("lambda_func", &O::lambda_func)
           .above(0)
           .at_most(kLargestFloat)
           .doc("Factor on the backbone's learning rate at every later epoch."),
       option("backbone_initial_ratio_lr", &O::backbone_initial_ratio_lr)
           .above(0)
           .at_most(kLargestFloat)
           .doc("The backbone's first learning rate as a share of the first group's."),
       option("backbone_initial_lr", &O::backbone_initial_lr)
           .above(0)
           .at_most(kLargestFloat)
           .doc("The backbone's first learning rate, instead of the share."),
       option("should_align", &O::should_align)
           .doc("Keep the backbone's learning rate from passing the first group's."),
       option("initial_denom_lr", &O::initial_denom_lr)
           .above(0)
           .at_most(kLargestFloat)
           .doc("Accepted for compatibility; has no effect."),
       option("train_bn", &O::train_bn)
           .doc("Optimize the batch normalizations of the backbone once it is unfrozen."),
       option("verbose", &O::verbose).doc("Log both learning rates at every epoch."),
       option("rounding", &O::rounding)
           .at_least(0)
           .at_most(17)
           .unit("digits after the point")
           .doc("Precision of those logs.")});
  return table;
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
  BaseFinetuning::setup(event);
  if (event.run == RunKind::fit && !continues()) previous_backbone_lr_.reset();
}

void BackboneFinetuning::freeze_before_training(Module& module) {
  try {
    freeze(module, {kPart});
  } catch (const ConfigError& error) {
    throw ConfigError::of(kPart, "BackboneFinetuning needs a part named {} in {}: {}", kPart,
                          module.type_name(), error.what());
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
