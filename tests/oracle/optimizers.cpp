#include "optimizers.h"

#include <grapnel/base/error.h>
#include <grapnel/optim/adagrad.h>
#include <grapnel/optim/adam.h>
#include <grapnel/optim/rmsprop.h>
#include <grapnel/optim/sgd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "schedulers.h"

namespace grapnel::oracle {
namespace {

// Copies the members of a spec that name an option into the options, and tells when one names none.
class Reader {
 public:
  Reader(const Json& spec, std::optional<double> attribute) : spec_(spec), attribute_(attribute) {}

  Reader& number(std::string_view key, double& out) {
    known_.push_back(key);
    const Json& value = get(spec_, key);
    if (value.is_string() && value.as_string() == "attr") {
      out = attribute_.value();
    } else if (!value.is_null()) {
      out = value.as_double(key);
    }
    return *this;
  }
  Reader& flag(std::string_view key, bool& out) {
    known_.push_back(key);
    out = flag_or(spec_, key, out);
    return *this;
  }
  Reader& pair(std::string_view key, double& first, double& second) {
    known_.push_back(key);
    const Json& value = get(spec_, key);
    if (!value.is_null()) {
      first = value.as_array()[0].as_double();
      second = value.as_array()[1].as_double();
    }
    return *this;
  }
  void finish() const {
    for (const auto& [key, value, line, column] : spec_.as_object()) {
      if (key == "type" || key == "params" || key == "groups" || key == "trainable_only") continue;
      if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
        throw Error("this runner's optimizers have no option '" + key + "'");
      }
    }
  }

 private:
  const Json& spec_;
  std::optional<double> attribute_;
  std::vector<std::string_view> known_;
};

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

std::shared_ptr<Optimizer> make_optimizer(const Json& spec, const StateView& view,
                                          std::optional<double> attribute) {
  const std::string& type = spec.at("type").as_string();
  std::vector<ParamGroup> groups = make_groups(spec, view);
  Reader read(spec, attribute);
  if (type == "SGD") {
    SGDOptions o;
    read.number("lr", o.lr).number("momentum", o.momentum).number("dampening", o.dampening);
    read.number("weight_decay", o.weight_decay).flag("nesterov", o.nesterov);
    read.flag("maximize", o.maximize).finish();
    return std::make_shared<SGD>(std::move(groups), o);
  }
  const auto adam = [&](auto& o) {
    read.number("lr", o.lr).pair("betas", o.beta1, o.beta2).number("eps", o.eps);
    read.number("weight_decay", o.weight_decay).flag("amsgrad", o.amsgrad);
    read.flag("maximize", o.maximize).finish();
  };
  if (type == "Adam") {
    AdamOptions o;
    adam(o);
    return std::make_shared<Adam>(std::move(groups), o);
  }
  if (type == "AdamW") {
    AdamWOptions o;
    adam(o);
    return std::make_shared<AdamW>(std::move(groups), o);
  }
  if (type == "RMSprop") {
    RMSpropOptions o;
    read.number("lr", o.lr).number("alpha", o.alpha).number("eps", o.eps);
    read.number("weight_decay", o.weight_decay).number("momentum", o.momentum);
    read.flag("centered", o.centered).flag("maximize", o.maximize).finish();
    return std::make_shared<RMSprop>(std::move(groups), o);
  }
  if (type == "Adagrad") {
    AdagradOptions o;
    read.number("lr", o.lr).number("lr_decay", o.lr_decay).number("eps", o.eps);
    read.number("weight_decay", o.weight_decay).flag("maximize", o.maximize);
    read.number("initial_accumulator_value", o.initial_accumulator_value).finish();
    return std::make_shared<Adagrad>(std::move(groups), o);
  }
  throw Error("this runner knows no optimizer '" + type + "'");
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
    config.optimizers.push_back(make_optimizer(spec, view, attribute));
  } else {
    for (const Json& spec : items(*specs)) {
      config.optimizers.push_back(make_optimizer(spec, view, attribute));
    }
  }
  for (const Json& spec : items(get(model, "schedulers"))) {
    const auto index = static_cast<std::size_t>(int_or(spec, "optimizer", 0));
    config.schedulers.push_back(make_scheduler(spec, config.optimizers.at(index)));
  }
  return config;
}

}  // namespace grapnel::oracle
