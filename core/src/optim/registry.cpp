#include "grapnel/optim/registry.h"

#include "grapnel/optim.h"

namespace grapnel {

namespace {

template <class T>
constexpr OptimizerRegistry::Entry row() {
  return {[]() -> const ParameterTable& { return T::options_table().parameters(); },
          [](const Parameters& parameters,
             std::vector<ParamGroup> groups) -> std::shared_ptr<Optimizer> {
            return std::make_shared<T>(std::move(groups), T::options_table().read(parameters));
          },
          &typeid(T)};
}

// clang-format off
constexpr OptimizerRegistry::Entry kOptimizers[] = {
    row<SGD>(),
    row<Adam>(),
    row<AdamW>(),
    row<RMSprop>(),
    row<Adagrad>(),
};
// clang-format on

}  // namespace

const OptimizerRegistry& optimizer_registry() {
  static constexpr OptimizerRegistry registry("optimizer", kOptimizers);
  return registry;
}

std::shared_ptr<Optimizer> make_optimizer(const ConfigValue& config, std::string_view context,
                                          std::vector<ParamGroup> groups) {
  return optimizer_registry().make_named(config, context, std::move(groups));
}

}  // namespace grapnel
