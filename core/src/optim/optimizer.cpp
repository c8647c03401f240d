#include "grapnel/optimizer.h"

#include <ATen/ops/empty_like.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"
#include "optim/state_check.h"

namespace grapnel {

namespace {

// Options that schedulers keep in a group, next to the optimizer's own.
constexpr std::string_view kSchedulerOptions[] = {"initial_lr",    "max_lr",       "min_lr",
                                                  "base_momentum", "max_momentum", "swa_lr"};

bool is_scheduler_option(std::string_view name) {
  return std::find(std::begin(kSchedulerOptions), std::end(kSchedulerOptions), name) !=
         std::end(kSchedulerOptions);
}

void check_param(const at::Tensor& param, std::string_view type, size_t index) {
  const auto refuse = [&](std::string_view why) {
    throw ConfigError::of("", "{}: parameter {} of the group {}", type, index, why);
  };
  if (!param.defined()) refuse("is undefined");
  if (!param.is_floating_point()) {
    refuse(fmt::format("has the type {}; only floating-point tensors can be optimized",
                       c10::toString(param.scalar_type())));
  }
  if (!param.is_leaf() && !param.retains_grad()) {
    refuse("is the result of a computation; only leaves of the graph can be optimized");
  }
}

// The saved tensor in the form that the optimizer works with: on the parameter's device and, where
// it belongs to the parameter element by element, with its dtype and memory layout.
at::Tensor state_tensor(std::string_view name, const at::Tensor& saved, const at::Tensor& param) {
  if (name == "step") return saved.detach().to(param.device(), at::kFloat, false, /*copy=*/true);
  if (saved.sizes() == param.sizes()) return at::empty_like(param.detach()).copy_(saved);
  return saved.detach().to(param.device(), saved.scalar_type(), false, /*copy=*/true);
}

}  // namespace

Optimizer::~Optimizer() = default;

void Optimizer::add_group(ParamGroup group) {
  if (group.params.empty()) {
    throw ConfigError::of("", "{}: a group has no parameters", type_name());
  }
  std::set<const c10::TensorImpl*> taken;
  for (const ParamGroup& other : groups_) {
    for (const at::Tensor& param : other.params) taken.insert(param.unsafeGetTensorImpl());
  }
  for (size_t i = 0; i < group.params.size(); ++i) {
    check_param(group.params[i], type_name(), i);
    if (!taken.insert(group.params[i].unsafeGetTensorImpl()).second) {
      throw ConfigError::of(
          "", "{}: parameter {} of the group, of shape [{}], is in this or another group already",
          type_name(), i, fmt::join(group.params[i].sizes(), ", "));
    }
  }
  for (const auto& [name, value] : group.options) {
    if (defaults().contains(name) || is_scheduler_option(name)) continue;
    std::vector<std::string> known;
    for (const auto& [option, fallback] : defaults()) known.push_back(option);
    const auto meant = nearest(name, known);
    throw ConfigError({},
                      fmt::format("{} has no option {}{}; its options are {}", type_name(),
                                  quote(name), did_you_mean(meant), join_quoted(known, "and")),
                      name, meant.value_or(""));
  }
  group.options.insert(defaults().begin(), defaults().end());
  validate(group);
  groups_.push_back(std::move(group));
  on_state_changed();
}

void Optimizer::add_groups(std::vector<ParamGroup> groups) {
  if (groups.empty()) {
    throw ConfigError::of("", "{} has no parameters to optimize", type_name());
  }
  for (ParamGroup& group : groups) add_group(std::move(group));
}

void Optimizer::validate(const ParamGroup& group) const {
  for (const auto& [name, value] : group.options) {
    if (!std::isfinite(value)) {
      throw ConfigError::of(name, "{}: {} must be a finite number, found {}", type_name(), name,
                            value);
    }
  }
}

ClosureResult Optimizer::step(const Closure& closure) {
  ClosureResult result;
  if (closure) {
    const c10::AutoGradMode with_grad(true);
    result = closure();
  }
  if (!result.skip_update) {
    const c10::AutoGradMode without_grad(false);
    for (ParamGroup& group : groups_) update(group);
  }
  return result;
}

void Optimizer::zero_grad(bool set_to_none) {
  const c10::AutoGradMode without_grad(false);
  for (ParamGroup& group : groups_) {
    for (at::Tensor& param : group.params) {
      if (!param.grad().defined()) continue;
      if (set_to_none) {
        param.mutable_grad().reset();
      } else {
        param.mutable_grad() = param.grad().detach().zero_();
      }
    }
  }
}

StateDict Optimizer::state_dict() const {
  StateList groups;
  StateDict state;
  int64_t index = 0;
  for (const ParamGroup& group : groups_) {
    StateDict options;
    for (const auto& [name, value] : group.options) options[name] = value;
    StateList indices;
    for (const at::Tensor& param : group.params) {
      const auto found = state_.find(param.unsafeGetTensorImpl());
      if (found != state_.end() && !found->second.empty()) {
        StateDict& entry = (state[std::to_string(index)] = StateDict()).to_dict();
        for (const auto& [name, tensor] : found->second) entry[name] = tensor;
      }
      indices.emplace_back(index++);
    }
    groups.emplace_back(StateDict{
        {"name", group.name}, {"options", std::move(options)}, {"params", std::move(indices)}});
  }
  StateDict saved = {
      {"type", type_name()}, {"groups", std::move(groups)}, {"state", std::move(state)}};
  list_state(saved);
  return saved;
}

void Optimizer::load_state_dict(const StateDict& state) {
  const auto refuse = [this](const std::string& why) {
    throw CheckpointError(
        {}, fmt::format("the state of optimizer {} doesn't fit: {}", type_name(), why));
  };
  if (const StateValue* type = state.find("type"); type && type->to_string() != type_name()) {
    refuse(fmt::format("it was written by {}", type->to_string()));
  }
  const StateList& saved_groups = state.at("groups").to_list();
  if (saved_groups.size() != groups_.size()) {
    refuse(fmt::format("it has {} groups of parameters, this one has {}", saved_groups.size(),
                       groups_.size()));
  }
  std::vector<ParamGroup> groups = groups_;
  std::vector<at::Tensor> params;
  for (size_t i = 0; i < groups.size(); ++i) {
    const StateDict& saved = saved_groups[i].to_dict();
    const size_t count = saved.at("params").to_list().size();
    if (count != groups[i].params.size()) {
      refuse(fmt::format("group {} has {} parameters in it, here it has {}", i, count,
                         groups[i].params.size()));
    }
    groups[i].name = saved.at("name").to_string();
    for (const auto& [name, value] : saved.at("options").to_dict()) {
      groups[i].options[name] = value.to_double();
    }
    try {
      validate(groups[i]);
    } catch (const ConfigError& error) {
      refuse(error.what());
    }
    params.insert(params.end(), groups[i].params.begin(), groups[i].params.end());
  }

  check_listed_state(state, type_name());
  std::map<c10::TensorImpl*, ParamState> loaded;
  const c10::AutoGradMode without_grad(false);
  for (const auto& [key, value] : state.at("state").to_dict()) {
    const bool is_number =
        !key.empty() && key.size() < 10 &&
        std::all_of(key.begin(), key.end(), [](char c) { return '0' <= c && c <= '9'; });
    const size_t index = is_number ? std::stoul(key) : params.size();
    if (index >= params.size()) {
      refuse(fmt::format("there is no parameter {}; here are {}", quote(key), params.size()));
    }
    const at::Tensor& param = params[index];
    for (const auto& [name, tensor] : value.to_dict()) {
      const at::Tensor& saved = tensor.to_tensor();
      if (!saved.defined() || (saved.dim() > 0 && saved.sizes() != param.sizes())) {
        refuse(fmt::format("{} of parameter {} is {}, the parameter has the shape [{}]",
                           quote(name), index, tensor.describe(), fmt::join(param.sizes(), ", ")));
      }
      loaded[param.unsafeGetTensorImpl()][name] = state_tensor(name, saved, param);
    }
  }
  groups_ = std::move(groups);
  state_ = std::move(loaded);
  on_state_changed();
}

std::vector<ParamGroup> one_group(std::vector<at::Tensor> params) {
  std::vector<ParamGroup> groups(1);
  groups[0].params = std::move(params);
  return groups;
}

}  // namespace grapnel
