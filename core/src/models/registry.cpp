#include "grapnel/models/registry.h"

#include "grapnel/models/cnn.h"
#include "grapnel/models/mlp.h"
#include "grapnel/script_module.h"
#include "values/config_state.h"

namespace grapnel {

namespace {

template <class T>
MadeModel make_model_of(const Parameters& parameters) {
  const auto module = std::make_shared<T>(T::options_table().read(parameters));
  module->hyper_parameters =
      hyper_parameters_of(T::options_table().parameters().name(), parameters.values());
  return made_model(module);
}

template <class T>
constexpr ModelRegistry::Entry model_row() {
  return {[]() -> const ParameterTable& { return T::options_table().parameters(); },
          &make_model_of<T>, &typeid(T)};
}

// clang-format off
constexpr ModelRegistry::Entry kModels[] = {
    model_row<MLP>(),
    model_row<CNN>(),
    model_row<ScriptModule>(),
};
// clang-format on

}  // namespace

const ModelRegistry& model_registry() {
  static constexpr ModelRegistry registry("model", kModels, RegistryNames::exact);
  return registry;
}

MadeModel make_model(const ConfigValue& config, std::string_view context) {
  return model_registry().make_named(config, context);
}

}  // namespace grapnel
