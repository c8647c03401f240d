// The models that run.json can name, with their parameters. One more is one file and one row.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "grapnel/export.h"
#include "grapnel/module.h"
#include "grapnel/registry.h"

namespace grapnel {

// A model together with the mask of its class, which only its maker knows.
struct MadeModel {
  std::shared_ptr<Module> module;
  ModuleMask mask;

  ModuleRef ref() const { return ModuleRef(*module, mask); }
};

template <class T>
MadeModel made_model(std::shared_ptr<T> module) {
  return {std::move(module), overridden_module_functions<T>()};
}

using ModelRegistry = Registry<MadeModel>;

// "mlp", "cnn", and "torchscript" for a file of one.
GRAPNEL_CORE_API const ModelRegistry& model_registry();

// From {"name": "mlp", "hidden": [64], "optimizer": {"name": "AdamW", "lr": 0.001}} or "mlp".
// `context` is its path in run.json. The parameters become the module's hyper_parameters. Throws
// ConfigError, positioned.
GRAPNEL_CORE_API MadeModel make_model(const ConfigValue& config, std::string_view context);

}  // namespace grapnel
