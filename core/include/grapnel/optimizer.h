// Optimizers: groups of parameters, each with a name and numeric options, and state made of
// tensors.
//
// Ours, not torch::optim, because checkpoints, schedulers, monitors and plugins have to see and set
// every option by name, and because the fused kernels of LibTorch (at::_fused_*) have no C++
// optimizer. torch::optim's own are used through TorchOptimizer
// (<grapnel/optim/torch_optimizer.h>).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "grapnel/export.h"
#include "grapnel/state_dict.h"

namespace grapnel {

// The result of a closure.
struct ClosureResult {
  at::Tensor loss;           // undefined when the step computed none
  bool skip_update = false;  // leave the parameters as they are this time
};

// Recomputes the loss and the gradients; called once or several times per step (LBFGS).
using Closure = std::function<ClosureResult()>;

struct ParamGroup {
  std::string name = {};  // may be empty
  std::vector<at::Tensor> params = {};
  std::map<std::string, double, std::less<>> options =
      {};  // "lr", "momentum", "beta1", "weight_decay", ...
};

class GRAPNEL_CORE_API Optimizer {
 public:
  virtual ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // "SGD", "Adam", ...
  virtual std::string type_name() const = 0;

  std::vector<ParamGroup>& groups() { return groups_; }
  const std::vector<ParamGroup>& groups() const { return groups_; }

  // Options that the group leaves out get this optimizer's defaults. Throws ConfigError for an
  // unknown option (naming the nearest; those that schedulers write, such as "initial_lr", are
  // known), a value out of range, no parameters, a parameter that is no leaf, or one that another
  // group already has (compared by identity, not by value).
  virtual void add_group(ParamGroup group);

  // Runs the closure, if there is one, then one update of the parameters that have a gradient.
  virtual ClosureResult step(const Closure& closure = {});

  // set_to_none: drop the gradients; else fill them with zeros.
  virtual void zero_grad(bool set_to_none = true);

  // {"type", "groups": [{"name", "options", "params": [index...]}], "state": {"<index>": {"step",
  // "exp_avg", ...}}} with parameters numbered over all groups; the tensors are the live ones (see
  // snapshot). Loading copies. It throws CheckpointError when type, groups, shapes or options don't
  // match, before anything changed.
  virtual StateDict state_dict() const;
  virtual void load_state_dict(const StateDict& state);

  // Throws ConfigError for options that it would have refused when it was made, each by itself and
  // together. The group may be a copy of its own with other options.
  void check_options(const ParamGroup& group) const { validate(group); }

  // The state kept for one parameter; empty before its first step. "step" is a scalar tensor.
  using ParamState = std::map<std::string, at::Tensor, std::less<>>;
  const std::map<c10::TensorImpl*, ParamState>& state() const { return state_; }

 protected:
  Optimizer() = default;

  // Adds the groups of a constructor; call it there, after the defaults are known.
  void add_groups(std::vector<ParamGroup> groups);

  // Name -> default of every option of a group.
  virtual const std::map<std::string, double, std::less<>>& defaults() const = 0;
  // Throws ConfigError for a value that is not acceptable. Default: every value must be finite.
  virtual void validate(const ParamGroup& group) const;

  // One update of the parameters of a group that have gradients.
  virtual void update(ParamGroup& group) = 0;

  ParamState& state_of(const at::Tensor& param) { return state_[param.unsafeGetTensorImpl()]; }

  // Called after groups or state changed from outside, to drop what an optimizer cached of them.
  virtual void on_state_changed() {}

 private:
  std::vector<ParamGroup> groups_;
  std::map<c10::TensorImpl*, ParamState> state_;
};

// All parameters in one unnamed group.
GRAPNEL_CORE_API std::vector<ParamGroup> one_group(std::vector<at::Tensor> params);

}  // namespace grapnel
