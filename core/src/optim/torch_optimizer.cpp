#include "grapnel/optim/torch_optimizer.h"

#include <ATen/ops/full_like.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <deque>
#include <optional>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "optim/state_check.h"
#include "optim/torch_optim_fields.h"
#include "values/type_name.h"

namespace grapnel {

namespace {

using GroupOptions = std::map<std::string, double, std::less<>>;

GroupOptions read_options(optim::OptimizerOptions& options) {
  GroupOptions read;
  const bool known = with_known_class(options, [&](auto& own, auto&) {
    visit_options(own,
                  [&](const char* name, auto& field) { read[name] = static_cast<double>(field); });
  });
  if (!known) read["lr"] = options.get_lr();
  return read;
}

void write_options_to(optim::OptimizerOptions& options, const GroupOptions& wanted) {
  const bool known = with_known_class(options, [&](auto& own, auto&) {
    visit_options(
        own, [&]<class T>(const char* name, T& field) { field = static_cast<T>(wanted.at(name)); });
  });
  if (!known) options.set_lr(wanted.at("lr"));
}

// ---- A field of a state as a value, and back

StateValue to_value(int64_t field) {
  return field;
}
StateValue to_value(double field) {
  return field;
}
StateValue to_value(const at::Tensor& field) {
  return field;
}
template <class Tensors>
StateValue to_value(const Tensors& field) {
  return StateList(field.begin(), field.end());
}
StateValue to_value(const std::optional<std::vector<at::Tensor>>& field) {
  return field ? to_value(*field) : StateValue();
}

at::Tensor own_copy(const at::Tensor& saved, const at::Tensor& param) {
  if (!saved.defined()) return saved;
  return saved.detach().to(param.device(), saved.scalar_type(), false, /*copy=*/true);
}

void from_value(const StateValue& value, int64_t& field, const at::Tensor&) {
  field = value.to_int();
}
void from_value(const StateValue& value, double& field, const at::Tensor&) {
  field = value.to_double();
}
void from_value(const StateValue& value, at::Tensor& field, const at::Tensor& param) {
  field = own_copy(value.to_tensor(), param);
}
template <class Tensors>
void from_value(const StateValue& value, Tensors& field, const at::Tensor& param) {
  field.clear();
  for (const StateValue& element : value.to_list()) {
    field.push_back(own_copy(element.to_tensor(), param));
  }
}
void from_value(const StateValue& value, std::optional<std::vector<at::Tensor>>& field,
                const at::Tensor& param) {
  field.reset();
  if (!value.is_null()) from_value(value, field.emplace(), param);
}

// All fields of a parameter's state, and the checks that they belong to it.
template <class State>
std::unique_ptr<State> read_state(const StateDict& saved, const at::Tensor& param,
                                  const std::string& where) {
  auto state = std::make_unique<State>();
  visit_state(*state, [&]<class T>(const char* name, T& field) {
    from_value(saved.at(name), field, param);
    // LBFGS keeps the state of all parameters, flattened, with the first.
    if constexpr (std::is_same_v<T, at::Tensor> && !std::is_same_v<State, optim::LBFGSParamState>) {
      if (!field.defined() || field.sizes() == param.sizes()) return;
      throw CheckpointError(
          {},
          fmt::format(
              "the state of optimizer {} doesn't fit: {} has the shape [{}], the parameter [{}]",
              where, quote(name), fmt::join(field.sizes(), ", "), fmt::join(param.sizes(), ", ")));
    }
  });
  return state;
}

// Adagrad's constructor makes the state of all its parameters, but a group that is added later
// would have none.
void make_adagrad_state(optim::Optimizer& optimizer, const optim::OptimizerParamGroup& group) {
  const auto* options = dynamic_cast<const optim::AdagradOptions*>(&group.options());
  if (options == nullptr) return;
  for (const at::Tensor& param : group.params()) {
    auto state = std::make_unique<optim::AdagradParamState>();
    state->step(0);
    state->sum(at::full_like(param.detach(), options->initial_accumulator_value()));
    optimizer.state()[param.unsafeGetTensorImpl()] = std::move(state);
  }
}

}  // namespace

TorchOptimizer::TorchOptimizer(std::shared_ptr<torch::optim::Optimizer> optimizer)
    : optimizer_(std::move(optimizer)) {
  if (optimizer_ == nullptr) throw ConfigError({}, "a TorchOptimizer was given no optimizer");
  const torch::optim::Optimizer& held = *optimizer_;
  type_name_ = unqualified_name(typeid(held));
  defaults_ = read_options(optimizer_->defaults());
  for (auto& group : optimizer_->param_groups()) {
    Optimizer::add_group({.params = group.params(), .options = read_options(group.options())});
  }
  if (groups().empty()) {
    throw ConfigError::of("", "{} has no parameters to optimize", type_name_);
  }
}

TorchOptimizer::~TorchOptimizer() = default;

void TorchOptimizer::add_group(ParamGroup group) {
  if (dynamic_cast<optim::LBFGS*>(optimizer_.get()) != nullptr) {
    throw ConfigError({}, "LBFGS takes one group of parameters only");
  }
  Optimizer::add_group(std::move(group));
  const ParamGroup& added = groups().back();
  optimizer_->add_param_group(
      optim::OptimizerParamGroup(added.params, optimizer_->defaults().clone()));
  auto& theirs = optimizer_->param_groups().back();
  write_options_to(theirs.options(), added.options);
  make_adagrad_state(*optimizer_, theirs);
}

void TorchOptimizer::write_options() {
  for (size_t i = 0; i < groups().size(); ++i) {
    write_options_to(optimizer_->param_groups()[i].options(), groups()[i].options);
  }
}

ClosureResult TorchOptimizer::step(const Closure& closure) {
  const bool is_lbfgs = dynamic_cast<optim::LBFGS*>(optimizer_.get()) != nullptr;
  if (is_lbfgs && !closure) {
    throw ConfigError({}, "LBFGS evaluates the loss several times in a step and needs a closure");
  }
  ClosureResult result;
  if (closure) {
    const c10::AutoGradMode with_grad(true);
    result = closure();
  }
  write_options();
  if (result.skip_update || (is_lbfgs && !result.loss.defined())) return result;
  if (!is_lbfgs) {
    optimizer_->step();
    return result;
  }
  bool evaluated = true;  // the first evaluation is the one above
  optimizer_->step([&] {
    const at::Tensor loss = evaluated ? result.loss : closure().loss;
    evaluated = false;
    return loss;
  });
  return result;
}

StateDict TorchOptimizer::state_dict() const {
  StateDict saved = Optimizer::state_dict();
  StateDict states;
  int64_t index = 0;
  bool known = true;
  for (size_t i = 0; i < groups().size(); ++i) {
    for (const at::Tensor& param : groups()[i].params) {
      const std::string key = std::to_string(index++);
      const auto found = optimizer_->state().find(param.unsafeGetTensorImpl());
      if (found == optimizer_->state().end()) continue;
      known = with_known_class(
          optimizer_->param_groups()[i].options(), [&]<class State>(auto&, State&) {
            StateDict entry;
            visit_state(static_cast<State&>(*found->second),
                        [&](const char* name, auto& field) { entry[name] = to_value(field); });
            states[key] = std::move(entry);
          });
    }
  }
  if (!known) {
    log_once("torch-optimizer-state/" + type_name_, LogLevel::warning,
             "the state of {} is not known to grapnel and not in the checkpoint", type_name_);
  }
  saved["state"] = std::move(states);
  list_state(saved);
  return saved;
}

void TorchOptimizer::load_state_dict(const StateDict& saved) {
  check_listed_state(saved, type_name_);
  std::vector<std::pair<at::Tensor, size_t>> params;  // with their group
  for (size_t i = 0; i < groups().size(); ++i) {
    for (const at::Tensor& param : groups()[i].params) params.emplace_back(param, i);
  }
  std::map<void*, std::unique_ptr<optim::OptimizerParamState>> loaded;
  for (size_t index = 0; index < params.size(); ++index) {
    const auto& [param, group] = params[index];
    const StateValue* entry = saved.at("state").to_dict().find(std::to_string(index));
    if (entry == nullptr) continue;
    const auto read = [&, &of = param]<class State>(auto&, State&) {
      loaded[of.unsafeGetTensorImpl()] = read_state<State>(
          entry->to_dict(), of, fmt::format("{}, parameter {},", type_name_, index));
    };
    with_known_class(optimizer_->param_groups()[group].options(), read);
  }
  StateDict without_state = saved;
  without_state["state"] = StateDict{};
  list_state(without_state);
  Optimizer::load_state_dict(without_state);
  if (loaded.empty()) return;  // Adagrad keeps the state that it started with
  optimizer_->state().clear();
  for (auto& [param, state] : loaded) optimizer_->state()[param] = std::move(state);
}

}  // namespace grapnel
