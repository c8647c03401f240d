#include "schedulers.h"

#include <grapnel/base/error.h>
#include <grapnel/lr_schedulers.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "functions.h"

namespace grapnel::oracle {
namespace {

using Target = std::shared_ptr<Optimizer>;
using Made = std::shared_ptr<LRScheduler>;

double number_or(const Json& arguments, std::string_view key, double fallback) {
  const Json& value = get(arguments, key);
  return value.is_null() ? fallback : value.as_double(key);
}

// A number, or one per group.
std::vector<double> numbers_or(const Json& arguments, std::string_view key,
                               std::vector<double> fallback) {
  const Json& value = get(arguments, key);
  if (value.is_null()) return fallback;
  if (!value.is_array()) return {value.as_double(key)};
  std::vector<double> all;
  for (const Json& item : value.as_array()) all.push_back(item.as_double(key));
  return all;
}

std::optional<std::int64_t> maybe_int(const Json& arguments, std::string_view key) {
  const Json& value = get(arguments, key);
  if (value.is_null()) return {};
  return value.as_int(key);
}

Made make_multi_step(const Target& optimizer, const Json& a) {
  std::vector<std::int64_t> milestones;
  for (const Json& item : a.at("milestones").as_array()) milestones.push_back(item.as_int());
  return std::make_shared<MultiStepLR>(optimizer, milestones, number_or(a, "gamma", 0.1));
}

Made make_one_cycle(const Target& optimizer, const Json& a) {
  OneCycleLROptions o;
  o.max_lr = numbers_or(a, "max_lr", {});
  o.total_steps = maybe_int(a, "total_steps");
  o.epochs = maybe_int(a, "epochs");
  o.steps_per_epoch = maybe_int(a, "steps_per_epoch");
  o.pct_start = number_or(a, "pct_start", o.pct_start);
  if (text_or(a, "anneal_strategy", "cos") == "linear") o.anneal_strategy = AnnealStrategy::linear;
  o.cycle_momentum = flag_or(a, "cycle_momentum", o.cycle_momentum);
  o.base_momentum = numbers_or(a, "base_momentum", o.base_momentum);
  o.max_momentum = numbers_or(a, "max_momentum", o.max_momentum);
  o.div_factor = number_or(a, "div_factor", o.div_factor);
  o.final_div_factor = number_or(a, "final_div_factor", o.final_div_factor);
  o.three_phase = flag_or(a, "three_phase", o.three_phase);
  return std::make_shared<OneCycleLR>(optimizer, o);
}

Made make_cyclic(const Target& optimizer, const Json& a) {
  CyclicLROptions o;
  o.base_lr = numbers_or(a, "base_lr", {});
  o.max_lr = numbers_or(a, "max_lr", {});
  o.step_size_up = int_or(a, "step_size_up", o.step_size_up);
  o.step_size_down = maybe_int(a, "step_size_down");
  const std::string mode = text_or(a, "mode", "triangular");
  if (mode == "triangular2") o.mode = CyclicMode::triangular2;
  if (mode == "exp_range") o.mode = CyclicMode::exp_range;
  o.gamma = number_or(a, "gamma", o.gamma);
  o.cycle_momentum = flag_or(a, "cycle_momentum", o.cycle_momentum);
  o.base_momentum = numbers_or(a, "base_momentum", o.base_momentum);
  o.max_momentum = numbers_or(a, "max_momentum", o.max_momentum);
  return std::make_shared<CyclicLR>(optimizer, o);
}

Made make_plateau(const Target& optimizer, const Json& a) {
  ReduceLROnPlateauOptions o;
  using O = ReduceLROnPlateauOptions;
  if (text_or(a, "mode", "min") == "max") o.mode = O::Mode::max;
  o.factor = number_or(a, "factor", o.factor);
  o.patience = int_or(a, "patience", o.patience);
  o.threshold = number_or(a, "threshold", o.threshold);
  if (text_or(a, "threshold_mode", "rel") == "abs") o.threshold_mode = O::ThresholdMode::abs;
  o.cooldown = int_or(a, "cooldown", o.cooldown);
  o.min_lr = numbers_or(a, "min_lr", o.min_lr);
  o.eps = number_or(a, "eps", o.eps);
  return std::make_shared<ReduceLROnPlateau>(optimizer, o);
}

Made make_lambda(const Target& optimizer, const Json& a) {
  const Json& functions = a.at("lr_lambda");
  std::vector<LRLambda> lambdas;
  if (functions.is_array()) {
    for (const Json& function : functions.as_array()) lambdas.push_back(number_function(function));
    return std::make_shared<LambdaLR>(optimizer, lambdas);
  }
  return std::make_shared<LambdaLR>(optimizer, number_function(functions));
}

Made make_multiplicative(const Target& optimizer, const Json& a) {
  return std::make_shared<MultiplicativeLR>(optimizer, number_function(a.at("lr_lambda")));
}

using Maker = std::function<Made(const Target&, const Json& arguments)>;

const std::map<std::string, Maker>& makers() {
  static const std::map<std::string, Maker> table = {
      {"ConstantLR",
       [](const Target& o, const Json& a) -> Made {
         return std::make_shared<ConstantLR>(o, number_or(a, "factor", 1.0 / 3),
                                             int_or(a, "total_iters", 5));
       }},
      {"CosineAnnealingLR",
       [](const Target& o, const Json& a) -> Made {
         return std::make_shared<CosineAnnealingLR>(o, a.at("T_max").as_int(),
                                                    number_or(a, "eta_min", 0.0));
       }},
      {"CosineAnnealingWarmRestarts",
       [](const Target& o, const Json& a) -> Made {
         return std::make_shared<CosineAnnealingWarmRestarts>(
             o, a.at("T_0").as_int(), int_or(a, "T_mult", 1), number_or(a, "eta_min", 0.0));
       }},
      {"CyclicLR", make_cyclic},
      {"ExponentialLR",
       [](const Target& o, const Json& a) -> Made {
         return std::make_shared<ExponentialLR>(o, a.at("gamma").as_double());
       }},
      {"LambdaLR", make_lambda},
      {"LinearLR",
       [](const Target& o, const Json& a) -> Made {
         return std::make_shared<LinearLR>(o, number_or(a, "start_factor", 1.0 / 3),
                                           number_or(a, "end_factor", 1.0),
                                           int_or(a, "total_iters", 5));
       }},
      {"MultiStepLR", make_multi_step},
      {"MultiplicativeLR", make_multiplicative},
      {"OneCycleLR", make_one_cycle},
      {"PolynomialLR",
       [](const Target& o, const Json& a) -> Made {
         return std::make_shared<PolynomialLR>(o, int_or(a, "total_iters", 5),
                                               number_or(a, "power", 1.0));
       }},
      {"ReduceLROnPlateau", make_plateau},
      {"StepLR",
       [](const Target& o, const Json& a) -> Made {
         return std::make_shared<StepLR>(o, a.at("step_size").as_int(), number_or(a, "gamma", 0.1));
       }},
  };
  return table;
}

}  // namespace

SchedulerConfig make_scheduler(const Json& spec, std::shared_ptr<Optimizer> optimizer) {
  const std::string& type = spec.at("type").as_string();
  const auto found = makers().find(type);
  if (found == makers().end()) throw Error("this runner knows no scheduler '" + type + "'");
  SchedulerConfig config;
  config.scheduler = found->second(optimizer, get(spec, "args"));
  if (text_or(spec, "interval", "epoch") == "step") config.interval = Interval::step;
  config.frequency = int_or(spec, "frequency", 1);
  config.monitor = text_or(spec, "monitor", "");
  config.strict = flag_or(spec, "strict", true);
  config.name = text_or(spec, "name", "");
  return config;
}

}  // namespace grapnel::oracle
