#include "grapnel/data/registry.h"

#include "grapnel/data/csv.h"
#include "grapnel/data/digits.h"
#include "grapnel/data/idx_data_module.h"
#include "grapnel/data/safetensors_data.h"
#include "registry/named_config.h"
#include "values/config_state.h"

namespace grapnel {

namespace {

MadeData make_digits(const Parameters& p) {
  return made_data(std::make_shared<DigitsDataModule>(read_data_options(p)));
}

MadeData make_idx(const Parameters& p) {
  return made_data(std::make_shared<IdxDataModule>(IdxDataModule::read(p)));
}

MadeData make_csv(const Parameters& p) {
  return made_data(std::make_shared<CsvDataModule>(CsvDataModule::read(p)));
}

MadeData make_safetensors(const Parameters& p) {
  return made_data(std::make_shared<SafetensorsDataModule>(SafetensorsDataModule::read(p)));
}

}  // namespace

const std::vector<DataEntry>& data_registry() {
  static const std::vector<DataEntry> registry = {
      {DigitsDataModule::table(), make_digits},
      {IdxDataModule::table(), make_idx},
      {CsvDataModule::table(), make_csv},
      {SafetensorsDataModule::table(), make_safetensors},
  };
  return registry;
}

MadeData make_data(const ConfigValue& config, std::string_view context) {
  std::vector<std::string> names;
  for (const DataEntry& entry : data_registry()) names.push_back(entry.parameters.name());
  const NamedConfig chosen = parse_named_config(config, context, "data set", names);
  for (const DataEntry& entry : data_registry()) {
    if (entry.parameters.name() != chosen.name) continue;
    const Parameters parameters = entry.parameters.validate(chosen.parameters, context);
    try {
      MadeData made = entry.make(parameters);
      made.module->hyper_parameters = hyper_parameters_of(chosen.name, parameters.values());
      return made;
    } catch (const ConfigError& error) {
      throw config.error(error.what(), std::string(context));
    }
  }
  return {};  // parse_named_config lets only registered names through
}

}  // namespace grapnel
