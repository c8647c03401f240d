#include "grapnel/lr_schedulers/registry.h"

#include "grapnel/lr_schedulers.h"
#include "registry/named_config.h"

namespace grapnel {

namespace {

using namespace parameter;
using Made = std::shared_ptr<LRScheduler>;
using Over = std::shared_ptr<Optimizer>;

// A rate or momentum: one number for all groups, or one each.
ParameterSpec per_group_number(std::string name) {
  return either({ParameterType::number, ParameterType::number_list}, std::move(name));
}
ParameterSpec per_group_number(std::string name, double fallback) {
  return either({ParameterType::number, ParameterType::number_list}, std::move(name), fallback);
}

ParameterSpec gamma(double fallback) {
  return number("gamma", fallback).at_least(0).doc("Factor on the rate.");
}
ParameterSpec total_iters() {
  return integer("total_iters", 5).at_least(1).unit("steps").doc("Steps until the end.");
}
ParameterSpec eta_min() {
  return number("eta_min", 0.0).at_least(0).doc("The lowest rate.");
}
ParameterSpec anneal_strategy() {
  return string("anneal_strategy", "cos").one_of({"cos", "linear"}).doc("Shape of the way.");
}
ParameterSpec cycle_momentum() {
  return boolean("cycle_momentum", true).doc("Move the momentum against the rate.");
}

AnnealStrategy strategy(const Parameters& p) {
  return p.get<std::string>("anneal_strategy") == "cos" ? AnnealStrategy::cos
                                                        : AnnealStrategy::linear;
}

LRSchedulerEntry step_lr() {
  return {{"StepLR",
           "Multiplies the rate every few steps.",
           {integer("step_size").at_least(1).unit("steps").doc("Steps between."), gamma(0.1)}},
          [](Over optimizer, const Parameters& p) -> Made {
            return std::make_shared<StepLR>(optimizer, p.get<int64_t>("step_size"),
                                            p.get<double>("gamma"));
          }};
}

LRSchedulerEntry multi_step_lr() {
  return {
      {"MultiStepLR",
       "Multiplies the rate at milestones.",
       {integer_list("milestones").at_least(0).unit("steps").doc("When to multiply."), gamma(0.1)}},
      [](Over optimizer, const Parameters& p) -> Made {
        return std::make_shared<MultiStepLR>(optimizer, p.get<std::vector<int64_t>>("milestones"),
                                             p.get<double>("gamma"));
      }};
}

LRSchedulerEntry constant_lr() {
  return {{"ConstantLR",
           "Multiplies the rate by a factor for the first steps.",
           {number("factor", 1.0 / 3).above(0).at_most(1).doc("Factor on the rate."),
            integer("total_iters", 5).unit("steps").doc("Steps until the factor is taken back.")}},
          [](Over optimizer, const Parameters& p) -> Made {
            return std::make_shared<ConstantLR>(optimizer, p.get<double>("factor"),
                                                p.get<int64_t>("total_iters"));
          }};
}

LRSchedulerEntry linear_lr() {
  return {
      {"LinearLR",
       "Changes the rate's factor linearly: a warm-up.",
       {number("start_factor", 1.0 / 3).above(0).at_most(1).doc("The first factor."),
        number("end_factor", 1.0).at_least(0).at_most(1).doc("The last factor."), total_iters()}},
      [](Over optimizer, const Parameters& p) -> Made {
        return std::make_shared<LinearLR>(optimizer, p.get<double>("start_factor"),
                                          p.get<double>("end_factor"),
                                          p.get<int64_t>("total_iters"));
      }};
}

LRSchedulerEntry exponential_lr() {
  return {{"ExponentialLR",
           "Multiplies the rate at every step.",
           {number("gamma").at_least(0).doc("Factor on the rate.")}},
          [](Over optimizer, const Parameters& p) -> Made {
            return std::make_shared<ExponentialLR>(optimizer, p.get<double>("gamma"));
          }};
}

LRSchedulerEntry polynomial_lr() {
  return {{"PolynomialLR",
           "Lowers the rate to 0 along a power of the time left.",
           {total_iters(), number("power", 1.0).doc("The power.")}},
          [](Over optimizer, const Parameters& p) -> Made {
            return std::make_shared<PolynomialLR>(optimizer, p.get<int64_t>("total_iters"),
                                                  p.get<double>("power"));
          }};
}

LRSchedulerEntry cosine_annealing_lr() {
  return {{"CosineAnnealingLR",
           "Lowers the rate along half a cosine.",
           {integer("T_max").at_least(1).unit("steps").doc("Steps down to the lowest rate."),
            eta_min()}},
          [](Over optimizer, const Parameters& p) -> Made {
            return std::make_shared<CosineAnnealingLR>(optimizer, p.get<int64_t>("T_max"),
                                                       p.get<double>("eta_min"));
          }};
}

LRSchedulerEntry cosine_annealing_warm_restarts() {
  return {{"CosineAnnealingWarmRestarts",
           "Lowers the rate along half a cosine, again and again.",
           {integer("T_0").at_least(1).unit("steps").doc("Steps of the first cosine."),
            integer("T_mult", 1).at_least(1).doc("How much longer each next one is."), eta_min()}},
          [](Over optimizer, const Parameters& p) -> Made {
            return std::make_shared<CosineAnnealingWarmRestarts>(optimizer, p.get<int64_t>("T_0"),
                                                                 p.get<int64_t>("T_mult"),
                                                                 p.get<double>("eta_min"));
          }};
}

LRSchedulerEntry one_cycle_lr() {
  return {{"OneCycleLR",
           "Up to the highest rate, then down far below the first.",
           {per_group_number("max_lr").above(0).doc("The highest rate."),
            integer("total_steps").nullable().at_least(1).unit("steps").doc("Length of the cycle."),
            integer("epochs").nullable().at_least(1).doc("Length in epochs, with steps_per_epoch."),
            integer("steps_per_epoch").nullable().at_least(1).doc("Steps of an epoch."),
            number("pct_start", 0.3).at_least(0).at_most(1).doc("Share in which the rate rises."),
            anneal_strategy(), cycle_momentum(),
            per_group_number("base_momentum", 0.85).at_least(0).doc("The lowest momentum."),
            per_group_number("max_momentum", 0.95).at_least(0).doc("The highest momentum."),
            number("div_factor", 25.0).above(0).doc("The highest rate over the first one."),
            number("final_div_factor", 1e4).above(0).doc("The first rate over the last one."),
            boolean("three_phase", false).doc("Down to the first rate as fast as up.")}},
          [](Over optimizer, const Parameters& p) -> Made {
            return std::make_shared<OneCycleLR>(
                optimizer, OneCycleLROptions{
                               .max_lr = p.get<std::vector<double>>("max_lr"),
                               .total_steps = p.get<std::optional<int64_t>>("total_steps"),
                               .epochs = p.get<std::optional<int64_t>>("epochs"),
                               .steps_per_epoch = p.get<std::optional<int64_t>>("steps_per_epoch"),
                               .pct_start = p.get<double>("pct_start"),
                               .anneal_strategy = strategy(p),
                               .cycle_momentum = p.get<bool>("cycle_momentum"),
                               .base_momentum = p.get<std::vector<double>>("base_momentum"),
                               .max_momentum = p.get<std::vector<double>>("max_momentum"),
                               .div_factor = p.get<double>("div_factor"),
                               .final_div_factor = p.get<double>("final_div_factor"),
                               .three_phase = p.get<bool>("three_phase")});
          }};
}

LRSchedulerEntry cyclic_lr() {
  return {{"CyclicLR",
           "Back and forth between two rates.",
           {per_group_number("base_lr").at_least(0).doc("The lowest rate."),
            per_group_number("max_lr").at_least(0).doc("The highest rate."),
            integer("step_size_up", 2000).at_least(1).unit("steps").doc("Steps up."),
            integer("step_size_down")
                .nullable()
                .at_least(1)
                .unit("steps")
                .doc("Steps down; null: as many as up."),
            string("mode", "triangular")
                .one_of({"triangular", "triangular2", "exp_range"})
                .doc("Height of the cycles: the same, halved each time, gamma^steps."),
            number("gamma", 1.0).at_least(0).doc("Base of exp_range."), cycle_momentum(),
            per_group_number("base_momentum", 0.8).at_least(0).doc("The lowest momentum."),
            per_group_number("max_momentum", 0.9).at_least(0).doc("The highest momentum.")}},
          [](Over optimizer, const Parameters& p) -> Made {
            const auto mode = p.get<std::string>("mode");
            return std::make_shared<CyclicLR>(
                optimizer,
                CyclicLROptions{.base_lr = p.get<std::vector<double>>("base_lr"),
                                .max_lr = p.get<std::vector<double>>("max_lr"),
                                .step_size_up = p.get<int64_t>("step_size_up"),
                                .step_size_down = p.get<std::optional<int64_t>>("step_size_down"),
                                .mode = mode == "triangular"    ? CyclicMode::triangular
                                        : mode == "triangular2" ? CyclicMode::triangular2
                                                                : CyclicMode::exp_range,
                                .gamma = p.get<double>("gamma"),
                                .cycle_momentum = p.get<bool>("cycle_momentum"),
                                .base_momentum = p.get<std::vector<double>>("base_momentum"),
                                .max_momentum = p.get<std::vector<double>>("max_momentum")});
          }};
}

LRSchedulerEntry reduce_lr_on_plateau() {
  return {
      {"ReduceLROnPlateau",
       "Lowers the rate when a metric stops improving.",
       {string("mode", "min").one_of({"min", "max"}).doc("Which direction is better."),
        number("factor", 0.1).at_least(0).below(1).doc("Factor on the rate."),
        integer("patience", 10).at_least(0).unit("steps").doc("Steps without improvement."),
        number("threshold", 1e-4).at_least(0).doc("Smallest change that is an improvement."),
        string("threshold_mode", "rel")
            .one_of({"rel", "abs"})
            .doc("Threshold as a share of the best value, or as an amount."),
        integer("cooldown", 0).at_least(0).unit("steps").doc("Steps to wait after a reduction."),
        per_group_number("min_lr", 0.0).at_least(0).doc("The lowest rate."),
        number("eps", 1e-8).at_least(0).doc("Smaller reductions are left out.")}},
      [](Over optimizer, const Parameters& p) -> Made {
        using Options = ReduceLROnPlateauOptions;
        return std::make_shared<ReduceLROnPlateau>(
            optimizer, Options{.mode = p.get<std::string>("mode") == "min" ? Options::Mode::min
                                                                           : Options::Mode::max,
                               .factor = p.get<double>("factor"),
                               .patience = p.get<int64_t>("patience"),
                               .threshold = p.get<double>("threshold"),
                               .threshold_mode = p.get<std::string>("threshold_mode") == "rel"
                                                     ? Options::ThresholdMode::rel
                                                     : Options::ThresholdMode::abs,
                               .cooldown = p.get<int64_t>("cooldown"),
                               .min_lr = p.get<std::vector<double>>("min_lr"),
                               .eps = p.get<double>("eps")});
      }};
}

LRSchedulerEntry swa_lr() {
  return {{"SWALR",
           "Moves the rate to a constant one for averaging weights.",
           {per_group_number("swa_lr").at_least(0).doc("The constant rate."),
            integer("anneal_epochs", 10).at_least(0).unit("steps").doc("Steps until it is there."),
            anneal_strategy()}},
          [](Over optimizer, const Parameters& p) -> Made {
            return std::make_shared<SWALR>(optimizer, p.get<std::vector<double>>("swa_lr"),
                                           p.get<int64_t>("anneal_epochs"), strategy(p));
          }};
}

LRSchedulerEntry sequential_lr() {
  return {{"SequentialLR",
           "Schedulers one after the other.",
           {any("schedulers").doc("A list of schedulers, each with its name and parameters."),
            integer_list("milestones").at_least(0).unit("steps").doc("When the next one starts.")}},
          [](Over optimizer, const Parameters& p) -> Made {
            std::vector<Made> schedulers;
            const ConfigValue list = p.get<ConfigValue>("schedulers");
            for (const ConfigValue& config : list.as_array("schedulers")) {
              const std::string context =
                  p.context() + ".schedulers." + std::to_string(schedulers.size());
              schedulers.push_back(make_lr_scheduler(config, context, optimizer));
            }
            return std::make_shared<SequentialLR>(optimizer, std::move(schedulers),
                                                  p.get<std::vector<int64_t>>("milestones"));
          }};
}

}  // namespace

const std::vector<LRSchedulerEntry>& lr_scheduler_registry() {
  static const std::vector<LRSchedulerEntry> registry = {
      step_lr(),        multi_step_lr(), constant_lr(),          linear_lr(),
      exponential_lr(), polynomial_lr(), cosine_annealing_lr(),  cosine_annealing_warm_restarts(),
      one_cycle_lr(),   cyclic_lr(),     reduce_lr_on_plateau(), swa_lr(),
      sequential_lr(),
  };
  return registry;
}

std::shared_ptr<LRScheduler> make_lr_scheduler(const ConfigValue& config, std::string_view context,
                                               std::shared_ptr<Optimizer> optimizer) {
  std::vector<std::string> names;
  for (const auto& entry : lr_scheduler_registry()) names.push_back(entry.parameters.name());
  const NamedConfig chosen = parse_named_config(config, context, "scheduler", names);
  for (const LRSchedulerEntry& entry : lr_scheduler_registry()) {
    if (entry.parameters.name() != chosen.name) continue;
    const Parameters parameters = entry.parameters.validate(chosen.parameters, context);
    try {
      return entry.make(std::move(optimizer), parameters);
    } catch (const ConfigError& error) {
      if (error.line > 0) throw;  // of a scheduler within, which knows its place better
      throw config.error(error.what(), std::string(context));
    }
  }
  return nullptr;  // parse_named_config lets only registered names through
}

const ParameterTable& scheduler_config_parameters() {
  static const ParameterTable table(
      "scheduler", "How the loop uses a learning-rate scheduler.",
      {string("interval", "epoch").one_of({"epoch", "step"}).doc("What a step follows."),
       integer("frequency", 1).at_least(1).doc("A step every so many epochs or batches."),
       string("monitor", "").doc("The metric for schedulers that want one."),
       boolean("strict", true).doc("A missing metric is an error."),
       string("label", "").doc("Name of the rate in logs; empty: made from the optimizer's.")});
  return table;
}

SchedulerConfig make_scheduler_config(const ConfigValue& config, std::string_view context,
                                      std::shared_ptr<Optimizer> optimizer) {
  ConfigValue own = config;
  ConfigValue usage = ConfigValue::object();
  if (config.is_object()) {
    for (const std::string& name : scheduler_config_parameters().names()) {
      if (const ConfigValue* value = config.find(name)) usage.set(name, *value);
      own.erase(name);
    }
  }
  const Parameters p = scheduler_config_parameters().validate(usage, context);
  SchedulerConfig made;
  made.scheduler = make_lr_scheduler(own, context, std::move(optimizer));
  made.interval = p.get<std::string>("interval") == "epoch" ? Interval::epoch : Interval::step;
  made.frequency = p.get<int64_t>("frequency");
  made.monitor = p.get<std::string>("monitor");
  made.strict = p.get<bool>("strict");
  made.name = p.get<std::string>("label");
  if (made.scheduler->wants_metric() && made.monitor.empty()) {
    throw config.error(std::string(context) + ": " + made.scheduler->type_name() +
                           " needs \"monitor\", the name of a metric",
                       std::string(context) + ".monitor");
  }
  return made;
}

}  // namespace grapnel
