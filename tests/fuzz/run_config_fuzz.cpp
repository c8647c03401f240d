// Any bytes as run.json: refused with a ConfigError, or options of everything that it names. The data and
// the model are not made (their sizes are the user's business), nor is anything trained.
#include <grapnel/callback_keys.h>
#include <grapnel/callbacks/registry.h>
#include <grapnel/data/registry.h>
#include <grapnel/loggers/registry.h>
#include <grapnel/lr_schedulers/registry.h>
#include <grapnel/models/registry.h>
#include <grapnel/optim/registry.h>
#include <grapnel/trainer_options.h>

#include <ATen/ops/zeros.h>

#include <optional>
#include <string>
#include <utility>

#include "fuzz_target.h"
#include "input_file.h"
#include "loggers_section.h"
#include "named_items.h"
#include "run_config.h"

namespace run_config_fuzz {

using namespace grapnel;
using fuzz::require;

namespace {

// Checks a section such as {"name": "mlp", "hidden": [64]} by the table of what it names; what else it may
// contain is taken out of it.
template <class AnyRegistry>
void check_named(const AnyRegistry& registry, ConfigValue section, std::string_view context) {
  if (!section.is_object()) return;
  const ConfigValue* name = section.find("name");
  if (name == nullptr || !name->is_string()) return;
  const auto* entry = registry.find(name->as_string());
  if (entry == nullptr) return;
  for (const char* other : {"name", "optimizer", "scheduler"}) section.erase(other);
  const Parameters parameters = entry->parameters().validate(section, context);
  require(entry->parameters().validate(parameters.values(), context).values() ==
          parameters.values());
}

void make_optimizer_and_scheduler(const ConfigValue& model) {
  const ConfigValue* optimizer = model.is_object() ? model.find("optimizer") : nullptr;
  if (optimizer == nullptr) return;
  ParamGroup group;
  group.params.push_back(at::zeros({2}).requires_grad_(true));
  const auto made = make_optimizer(*optimizer, "optimizer", {std::move(group)});
  if (const ConfigValue* scheduler = model.find("scheduler")) {
    (void)make_scheduler_config(*scheduler, "scheduler", made);
  }
}

void make_callbacks(const ConfigValue& section) {
  for (program::NamedItem& item : program::read_named_items(section, "callbacks")) {
    const CallbackRegistry::Entry* entry = callback_registry().find(item.name);
    if (entry == nullptr || !item.enabled) continue;  // a plugin's, perhaps
    (void)take_callback_keys(item.parameters, entry->parameters(), item.context);
    (void)make_callback(item.name, item.parameters, item.context);
  }
}

program::RunConfig read(std::span<const std::byte> bytes) {
  static const fuzz::InputFile file("run.json");
  return program::read_run_config(file.write(bytes), {});
}

}  // namespace

GRAPNEL_FUZZ_TARGET(run_config) {
  try {
    const program::RunConfig config = read(bytes);
    (void)trainer_options(config.parameters.get<Parameters>("trainer"));
    const std::string name = config.name();
    require(!name.empty() && name.find('/') == std::string::npos && name.front() != '.');
    const ConfigValue model = config.model();
    check_named(model_registry(), model, "model");
    check_named(data_registry(), config.data(), "data");
    (void)program::read_loggers(config.parameters.get<ConfigValue>("loggers"));
    make_callbacks(config.parameters.get<ConfigValue>("callbacks"));
    make_optimizer_and_scheduler(model);
  } catch (const ConfigError&) {
  }
}

}  // namespace run_config_fuzz
