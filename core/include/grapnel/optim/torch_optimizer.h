// TorchOptimizer: an optimizer of LibTorch's C++ frontend (torch::optim) as an Optimizer, for LBFGS
// and for those of one's own.
//
//   auto lbfgs = std::make_shared<torch::optim::LBFGS>(parameters, torch::optim::LBFGSOptions(0.5));
//   return std::make_shared<grapnel::TorchOptimizer>(lbfgs);
//
// Options and state of LibTorch's own classes (SGD, Adam, AdamW, RMSprop, Adagrad, LBFGS) are seen
// by name and written to checkpoints. Of any other class only "lr" is seen, and its state is not
// saved; a warning says so once. Options of a group are written to LibTorch's before every step, so
// schedulers and loading work, and a group's options are those that it was given (LibTorch itself
// takes an option that equals its class's default for one that was left out).
//
// This header knows torch::optim by name only.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "grapnel/export.h"
#include "grapnel/optimizer.h"

namespace torch::optim {
class Optimizer;
}

namespace grapnel {

class GRAPNEL_CORE_API TorchOptimizer : public Optimizer {
 public:
  // Throws ConfigError when it is null or has no parameters.
  explicit TorchOptimizer(std::shared_ptr<torch::optim::Optimizer> optimizer);
  ~TorchOptimizer() override;

  std::string type_name() const override { return type_name_; }
  torch::optim::Optimizer& torch_optimizer() const { return *optimizer_; }

  // LBFGS takes one group; another one is a ConfigError.
  void add_group(ParamGroup group) override;

  // LBFGS needs the closure (ConfigError) and may call it several times. When its first evaluation
  // asks to skip the update, or has no loss, nothing is updated; later ones can't.
  ClosureResult step(const Closure& closure = {}) override;

  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

 protected:
  const std::map<std::string, double, std::less<>>& defaults() const override { return defaults_; }
  // LibTorch updates all groups at once, in step.
  void update(ParamGroup& /*group*/) override {}

 private:
  void write_options();

  std::shared_ptr<torch::optim::Optimizer> optimizer_;
  std::string type_name_;
  std::map<std::string, double, std::less<>> defaults_;
};

}  // namespace grapnel
