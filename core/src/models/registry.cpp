#include "grapnel/models/registry.h"

#include "grapnel/models/cnn.h"
#include "grapnel/models/mlp.h"
#include "grapnel/script_module.h"
#include "registry/named_config.h"
#include "values/config_state.h"

namespace grapnel {

namespace {

MadeModel make_mlp(const Parameters& p) {
  return made_model(std::make_shared<MLP>(MLP::read(p)));
}
MadeModel make_cnn(const Parameters& p) {
  return made_model(std::make_shared<CNN>(CNN::read(p)));
}

ParameterTable torchscript_table() {
  using namespace parameter;
  std::vector<ParameterSpec> specs = {
      string("path").doc("The file, as torch.jit.save writes it."),
      string("loss", "cross_entropy")
          .one_of({"cross_entropy", "mse", "l1", "bce_with_logits"})
          .doc("The loss between its output and a batch's second tensor.")};
  for (ParameterSpec& spec : classifier_option_specs()) specs.push_back(std::move(spec));
  return ParameterTable("torchscript", "A TorchScript file.", std::move(specs));
}

MadeModel make_torchscript(const Parameters& p) {
  return made_model(std::make_shared<ScriptModule>(
      p.get<std::string>("path"),
      ScriptModuleOptions{.loss = parse_loss(p.get<std::string>("loss")),
                          .optimizer = p.get<ConfigValue>("optimizer"),
                          .scheduler = p.get<ConfigValue>("scheduler")}));
}

}  // namespace

const std::vector<ModelEntry>& model_registry() {
  static const std::vector<ModelEntry> registry = {
      {MLP::table(), make_mlp},
      {CNN::table(), make_cnn},
      {torchscript_table(), make_torchscript},
  };
  return registry;
}

MadeModel make_model(const ConfigValue& config, std::string_view context) {
  std::vector<std::string> names;
  for (const ModelEntry& entry : model_registry()) names.push_back(entry.parameters.name());
  const NamedConfig chosen = parse_named_config(config, context, "model", names);
  for (const ModelEntry& entry : model_registry()) {
    if (entry.parameters.name() != chosen.name) continue;
    const Parameters parameters = entry.parameters.validate(chosen.parameters, context);
    try {
      MadeModel made = entry.make(parameters);
      made.module->hyper_parameters = hyper_parameters_of(chosen.name, parameters.values());
      return made;
    } catch (const ConfigError& error) {
      if (error.line > 0) throw;  // of a part within, which knows its place better
      throw config.error(error.what(), std::string(context));
    }
  }
  return {};  // parse_named_config lets only registered names through
}

}  // namespace grapnel
