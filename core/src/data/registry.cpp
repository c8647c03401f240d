#include "grapnel/data/registry.h"

#include "grapnel/data/csv.h"
#include "grapnel/data/digits.h"
#include "grapnel/data/idx_data_module.h"
#include "grapnel/data/safetensors_data.h"
#include "values/config_state.h"

namespace grapnel {

namespace {

template <class T>
MadeData make_data_of(const Parameters& parameters) {
  const auto module = std::make_shared<T>(T::options_table().read(parameters));
  module->hyper_parameters =
      hyper_parameters_of(T::options_table().parameters().name(), parameters.values());
  return made_data(module);
}

template <class T>
constexpr DataRegistry::Entry data_row() {
  return {[]() -> const ParameterTable& { return T::options_table().parameters(); },
          &make_data_of<T>, &typeid(T)};
}

// clang-format off
constexpr DataRegistry::Entry kDataSets[] = {
    data_row<DigitsDataModule>(),
    data_row<IdxDataModule>(),
    data_row<CsvDataModule>(),
    data_row<SafetensorsDataModule>(),
};
// clang-format on

}  // namespace

const DataRegistry& data_registry() {
  static constexpr DataRegistry registry("data set", kDataSets, RegistryNames::exact);
  return registry;
}

MadeData make_data(const ConfigValue& config, std::string_view context) {
  return data_registry().make_named(config, context);
}

}  // namespace grapnel
