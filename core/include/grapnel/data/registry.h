// The data sets that run.json can name, with their parameters. One more is one file and one row.
#pragma once

#include <memory>
#include <string_view>

#include "grapnel/data.h"
#include "grapnel/export.h"
#include "grapnel/registry.h"

namespace grapnel {

// A data module together with the mask of its class, which only its maker knows.
struct MadeData {
  std::shared_ptr<DataModule> module;
  Data data;
};

template <class T>
MadeData made_data(std::shared_ptr<T> module) {
  Data data(*module);
  return {std::move(module), std::move(data)};
}

using DataRegistry = Registry<MadeData>;

GRAPNEL_CORE_API const DataRegistry& data_registry();

// From {"name": "digits", "batch_size": 64} or "digits". `context` is its path in run.json. The
// parameters become the module's hyper_parameters. Throws ConfigError, positioned.
GRAPNEL_CORE_API MadeData make_data(const ConfigValue& config, std::string_view context);

}  // namespace grapnel
