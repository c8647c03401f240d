#include "grapnel/optim/registry.h"

#include "grapnel/optim.h"

namespace grapnel {

namespace {

template <class T>
constexpr OptimizerRegistry::Entry optimizer_row() {
  return {[]() -> const ParameterTable& { return T::options_table().parameters(); },
          [](const Parameters& parameters,
             std::vector<ParamGroup> groups) -> std::shared_ptr<Optimizer> {
            return std::make_shared<T>(std::move(groups), T::options_table().read(parameters));
          },
          &typeid(T)};
}

// clang-format off
constexpr OptimizerRegistry::Entry kOptimizers[] = {
    optimizer_row<SGD>(),
    optimizer_row<Adam>(),
    optimizer_row<AdamW>(),
    optimizer_row<RMSprop>(),
    optimizer_row<Adagrad>(),
};
// clang-format on

}  // namespace

const OptimizerRegistry& optimizer_registry() {
  static constexpr OptimizerRegistry registry("optimizer", kOptimizers, RegistryNames::exact);
  return registry;
}

std::shared_ptr<Optimizer> make_optimizer(const ConfigValue& config, std::string_view context,
                                          std::vector<ParamGroup> groups) {
  return optimizer_registry().make_named(config, context, std::move(groups));
}

}  // namespace grapnel
