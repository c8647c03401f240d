#include "optimizers.h"

#include <grapnel/optim/registry.h>

#include <string>
#include <vector>

#include "schedulers.h"

namespace grapnel::oracle {
namespace {

bool below(const std::string& name, const std::string& submodule) {
  return name.rfind(submodule + ".", 0) == 0;
}

// "all", or submodules whose parameters are put one behind the other.
std::vector<at::Tensor> select(const Json& which, const StateView& view, bool trainable_only) {
  std::vector<at::Tensor> selected;
  const auto add = [&](const StateEntry& entry) {
    if (!trainable_only || entry.tensor.requires_grad()) selected.push_back(entry.tensor);
  };
  if (!which.is_array()) {
    for (const StateEntry& entry : view.parameters()) add(entry);
    return selected;
  }
  for (const Json& submodule : which.as_array()) {
    for (const StateEntry& entry : view.parameters()) {
      if (below(entry.name, submodule.as_string())) add(entry);
    }
  }
  return selected;
}

// Options of a single group keep their own names; Adam's pair of betas has two.
ParamGroup make_group(const Json& spec, const StateView& view, bool trainable_only) {
  ParamGroup group;
  for (const auto& [key, value, line, column] : spec.as_object()) {
    if (key == "params") {
      group.params = select(value, view, trainable_only);
    } else if (key == "name") {
      group.name = value.as_string();
    } else if (key == "betas") {
      group.options["beta1"] = value.as_array()[0].as_double();
      group.options["beta2"] = value.as_array()[1].as_double();
    } else {
      group.options[key] = value.is_bool() ? (value.as_bool() ? 1.0 : 0.0) : value.as_double(key);
    }
  }
  return group;
}

std::vector<ParamGroup> make_groups(const Json& spec, const StateView& view) {
  const bool trainable_only = flag_or(spec, "trainable_only", false);
  if (const Json* groups = spec.find("groups")) {
    std::vector<ParamGroup> made;
    for (const Json& group : groups->as_array()) {
      made.push_back(make_group(group, view, trainable_only));
    }
    return made;
  }
  return one_group(select(get(spec, "params"), view, trainable_only));
}

// Through the library's registry, as a run.json would make it.
std::shared_ptr<Optimizer> make(const Json& spec, const StateView& view,
                                std::optional<double> attribute) {
  Json config = Json::object();
  config.set("name", spec.at("type"));
  for (const auto& [key, value, line, column] : spec.as_object()) {
    if (key == "type" || key == "params" || key == "groups" || key == "trainable_only") continue;
    if (key == "betas") {
      config.set("beta1", value.as_array().at(0));
      config.set("beta2", value.as_array().at(1));
    } else if (value.is_string() && value.as_string() == "attr") {
      config.set(key, attribute.value());
    } else {
      config.set(key, value);
    }
  }
  return make_optimizer(config, "optimizer", make_groups(spec, view));
}

}  // namespace

OptimizerConfig make_optimizers(const Json& model, const StateView& view,
                                std::optional<double> attribute) {
  OptimizerConfig config;
  const Json* specs = model.find("optimizers");
  if (specs == nullptr) {
    Json spec = Json::object();
    spec.set("type", "SGD");
    spec.set("lr", 0.1);
    config.optimizers.push_back(make(spec, view, attribute));
  } else {
    for (const Json& spec : items(*specs)) {
      config.optimizers.push_back(make(spec, view, attribute));
    }
  }
  for (const Json& spec : items(get(model, "schedulers"))) {
    const auto index = static_cast<std::size_t>(int_or(spec, "optimizer", 0));
    config.schedulers.push_back(make_scheduler(spec, config.optimizers.at(index)));
  }
  return config;
}

}  // namespace grapnel::oracle
