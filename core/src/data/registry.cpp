#include "grapnel/data/registry.h"

#include <fmt/format.h>

#include <utility>

#include "grapnel/data/csv.h"
#include "grapnel/data/digits.h"
#include "grapnel/data/idx_data_module.h"
#include "grapnel/data/safetensors_data.h"
#include "values/config_state.h"

namespace grapnel {

namespace {

// Known before the data are read.
template <class Options>
void require_training_part(const Options& options, const Parameters& parameters) {
  if constexpr (requires { options.parts.test_fraction; }) {
    const double val = options.parts.val_fraction;
    double test = options.parts.test_fraction;
    if constexpr (requires { options.test_path; }) {
      if (!options.test_path.empty()) test = 0.0;
    }
    if (val + test < 1.0) return;
    throw parameters.error(
        "val_fraction",
        fmt::format("must leave something to train with: val_fraction and test_fraction must be "
                    "together below 1, found {} and {}",
                    val, test));
  }
}

template <class T>
MadeData make_data_of(const Parameters& parameters) {
  auto options = T::options_table().read(parameters);
  require_training_part(options, parameters);
  const auto module = std::make_shared<T>(std::move(options));
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
