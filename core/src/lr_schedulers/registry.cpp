#include "grapnel/lr_schedulers/registry.h"

#include "grapnel/base/options_table.h"
#include "grapnel/lr_schedulers.h"

namespace grapnel {

namespace {

template <class T>
std::shared_ptr<LRScheduler> make_scheduler_of(const Parameters& parameters,
                                               std::shared_ptr<Optimizer> optimizer) {
  return std::make_shared<T>(std::move(optimizer), T::options_table().read(parameters));
}

template <>
std::shared_ptr<LRScheduler> make_scheduler_of<SequentialLR>(const Parameters& parameters,
                                                             std::shared_ptr<Optimizer> optimizer) {
  SequentialLROptions options = SequentialLR::options_table().read(parameters);
  std::vector<std::shared_ptr<LRScheduler>> schedulers;
  for (const ConfigValue& config : options.schedulers.as_array("schedulers")) {
    const std::string context =
        parameters.context() + ".schedulers." + std::to_string(schedulers.size());
    schedulers.push_back(make_lr_scheduler(config, context, optimizer));
  }
  return std::make_shared<SequentialLR>(std::move(optimizer), std::move(schedulers),
                                        std::move(options.milestones));
}

template <class T>
constexpr LRSchedulerRegistry::Entry scheduler_row() {
  return {[]() -> const ParameterTable& { return T::options_table().parameters(); },
          &make_scheduler_of<T>, &typeid(T)};
}

// clang-format off
constexpr LRSchedulerRegistry::Entry kSchedulers[] = {
    scheduler_row<StepLR>(),
    scheduler_row<MultiStepLR>(),
    scheduler_row<ConstantLR>(),
    scheduler_row<LinearLR>(),
    scheduler_row<ExponentialLR>(),
    scheduler_row<PolynomialLR>(),
    scheduler_row<CosineAnnealingLR>(),
    scheduler_row<CosineAnnealingWarmRestarts>(),
    scheduler_row<OneCycleLR>(),
    scheduler_row<CyclicLR>(),
    scheduler_row<ReduceLROnPlateau>(),
    scheduler_row<SWALR>(),
    scheduler_row<SequentialLR>(),
};
// clang-format on

// How the loop uses a scheduler: the keys next to the scheduler's own options.
const OptionsTable<SchedulerConfig>& usage_options() {
  using O = SchedulerConfig;
  static const OptionsTable<O> table(
      "scheduler", "How the loop uses a learning-rate scheduler.",
      {option("interval", &O::interval).one_of({"epoch", "step"}).doc("What a step follows."),
       option("frequency", &O::frequency)
           .at_least(1)
           .doc("A step every so many epochs or batches."),
       option("monitor", &O::monitor).doc("The metric for schedulers that want one."),
       option("strict", &O::strict).doc("A missing metric is an error."),
       option("label", &O::name)
           .doc("Name of the rate in logs; empty: made from the optimizer's.")});
  return table;
}

}  // namespace

const LRSchedulerRegistry& lr_scheduler_registry() {
  static constexpr LRSchedulerRegistry registry("scheduler", kSchedulers, RegistryNames::exact);
  return registry;
}

std::shared_ptr<LRScheduler> make_lr_scheduler(const ConfigValue& config, std::string_view context,
                                               std::shared_ptr<Optimizer> optimizer) {
  return lr_scheduler_registry().make_named(config, context, std::move(optimizer));
}

SchedulerConfig make_scheduler_config(const ConfigValue& config, std::string_view context,
                                      std::shared_ptr<Optimizer> optimizer) {
  ConfigValue own = config;
  ConfigValue usage = ConfigValue::object();
  if (config.is_object()) {
    for (const std::string& name : usage_options().parameters().names()) {
      if (const ConfigValue* value = config.find(name)) usage.set(name, *value);
      own.erase(name);
    }
  }
  SchedulerConfig made = usage_options().read(usage, context);
  made.scheduler = make_lr_scheduler(own, context, std::move(optimizer));
  if (made.scheduler->wants_metric() && made.monitor.empty()) {
    throw config.error(std::string(context) + ": " + made.scheduler->type_name() +
                           " needs \"monitor\", the name of a metric",
                       std::string(context) + ".monitor");
  }
  return made;
}

}  // namespace grapnel
