#include "grapnel/optim/registry.h"

#include "grapnel/optim.h"
#include "registry/named_config.h"

namespace grapnel {

namespace {

using Groups = std::vector<ParamGroup>;
using Made = std::shared_ptr<Optimizer>;

Made make_sgd(Groups groups, const Parameters& p) {
  return std::make_shared<SGD>(std::move(groups),
                               SGDOptions{.lr = p.get<double>("lr"),
                                          .momentum = p.get<double>("momentum"),
                                          .dampening = p.get<double>("dampening"),
                                          .weight_decay = p.get<double>("weight_decay"),
                                          .nesterov = p.get<bool>("nesterov"),
                                          .maximize = p.get<bool>("maximize")});
}

template <class T, class Options>
Made make_adam(Groups groups, const Parameters& p) {
  return std::make_shared<T>(std::move(groups),
                             Options{.lr = p.get<double>("lr"),
                                     .beta1 = p.get<double>("beta1"),
                                     .beta2 = p.get<double>("beta2"),
                                     .eps = p.get<double>("eps"),
                                     .weight_decay = p.get<double>("weight_decay"),
                                     .amsgrad = p.get<bool>("amsgrad"),
                                     .maximize = p.get<bool>("maximize")});
}

Made make_rmsprop(Groups groups, const Parameters& p) {
  return std::make_shared<RMSprop>(std::move(groups),
                                   RMSpropOptions{.lr = p.get<double>("lr"),
                                                  .alpha = p.get<double>("alpha"),
                                                  .eps = p.get<double>("eps"),
                                                  .weight_decay = p.get<double>("weight_decay"),
                                                  .momentum = p.get<double>("momentum"),
                                                  .centered = p.get<bool>("centered"),
                                                  .maximize = p.get<bool>("maximize")});
}

Made make_adagrad(Groups groups, const Parameters& p) {
  return std::make_shared<Adagrad>(
      std::move(groups),
      AdagradOptions{.lr = p.get<double>("lr"),
                     .lr_decay = p.get<double>("lr_decay"),
                     .weight_decay = p.get<double>("weight_decay"),
                     .initial_accumulator_value = p.get<double>("initial_accumulator_value"),
                     .eps = p.get<double>("eps"),
                     .maximize = p.get<bool>("maximize")});
}

}  // namespace

const std::vector<OptimizerEntry>& optimizer_registry() {
  static const std::vector<OptimizerEntry> registry = {
      {SGD::table(), make_sgd},
      {Adam::table(), make_adam<Adam, AdamOptions>},
      {AdamW::table(), make_adam<AdamW, AdamWOptions>},
      {RMSprop::table(), make_rmsprop},
      {Adagrad::table(), make_adagrad},
  };
  return registry;
}

std::shared_ptr<Optimizer> make_optimizer(const ConfigValue& config, std::string_view context,
                                          std::vector<ParamGroup> groups) {
  std::vector<std::string> names;
  for (const OptimizerEntry& entry : optimizer_registry()) names.push_back(entry.parameters.name());
  const NamedConfig chosen = parse_named_config(config, context, "optimizer", names);
  for (const OptimizerEntry& entry : optimizer_registry()) {
    if (entry.parameters.name() != chosen.name) continue;
    const Parameters parameters = entry.parameters.validate(chosen.parameters, context);
    try {
      return entry.make(std::move(groups), parameters);
    } catch (const ConfigError& error) {
      throw config.error(error.what(), std::string(context));
    }
  }
  return nullptr;  // parse_named_config lets only registered names through
}

}  // namespace grapnel
