// What a Module, a DataModule and a Callback do through the trainer that runs them: members of
// classes of lower rooms that need the Run behind it.
#include <fmt/format.h>

#include "grapnel/base/error.h"
#include "grapnel/trainer.h"
#include "run/learning_rates.h"
#include "run/optimization.h"
#include "run/run.h"

namespace grapnel {

// ---- Ends: trainers may outlive the module and the data that they ran

Module::~Module() {
  for (Trainer* trainer : trainers_.all()) Run::of(*trainer).forget_module();
}

DataModule::~DataModule() {
  for (Trainer* trainer : trainers_.all()) Run::of(*trainer).data = {};
}

// ---- Logging

void Module::log(const std::string& name, const LogValue& value, const LogOptions& options) {
  Run& run = Run::of(trainer());
  run.log(name, value, options);
}

void Callback::log(Event& event, const std::string& name, const LogValue& value,
                   const LogOptions& options) {
  Run& run = Run::of(event.trainer);
  run.log(name, value, options);
}

// ---- Manual optimization

ManualOptimizer Module::optimizers(size_t index) {
  const auto& all = trainer().optimizers();
  if (index >= all.size()) {
    throw ConfigError({}, fmt::format("there is no optimizer {}: configure_optimizers returned {}",
                                      index, all.size()));
  }
  return {trainer(), index};
}

void Module::manual_backward(const at::Tensor& loss) {
  if (automatic_optimization) {
    throw ConfigError({},
                      "manual_backward was called under automatic optimization; set "
                      "automatic_optimization = false in the module");
  }
  backward_with_hooks(Run::of(trainer()), loss, loss, /*divisor=*/1);
}

void Module::toggle_optimizer(const ManualOptimizer& optimizer) {
  Run& run = Run::of(trainer());
  run.toggled.end();
  untoggle_optimizer(optimizer);
  run.toggled = run.leases.take("parameters frozen by toggle_optimizer",
                                [this, optimizer] { untoggle_optimizer(optimizer); });
  const auto& all = trainer().optimizers();
  const auto belongs = [&](const at::Tensor& param) {
    for (const ParamGroup& group : optimizer.optimizer().groups()) {
      for (const at::Tensor& own : group.params) {
        if (own.is_same(param)) return true;
      }
    }
    return false;
  };
  for (size_t i = 0; i < all.size(); ++i) {
    if (i == optimizer.index()) continue;
    for (const ParamGroup& group : all[i]->groups()) {
      for (const at::Tensor& param : group.params) {
        if (belongs(param)) continue;
        toggled_.emplace_back(param, param.requires_grad());
        param.set_requires_grad(false);
      }
    }
  }
}

void ManualOptimizer::step(const Closure& closure) {
  Run& run = Run::of(trainer_);
  Optimizer& optimizer = this->optimizer();
  run.state.manual_step.ready();
  ScaledStep scaled(run, optimizer);
  const PhaseClock::Span span(run.phases, Phase::optimizer);
  FactoredRates rates(run, optimizer, index_);
  optimizer.step([&]() -> ClosureResult {
    rates.put_back();
    ClosureResult result = closure ? closure() : ClosureResult{};
    scaled.unscale(/*has_gradients=*/true);
    OptimizerEvent event{run.event(), optimizer, static_cast<int64_t>(index_)};
    run.hooks.on_before_optimizer_step(event);
    const bool skipped = run.requests.take(RequestKind::skip_step);
    run.checkpointing.let_go();
    result.skip_update = result.skip_update || skipped || scaled.must_skip();
    rates.apply();
    return result;
  });
  rates.put_back();
  scaled.finish();
  run.state.manual_step.completed();
  OptimizerEvent event{run.event(), optimizer, static_cast<int64_t>(index_)};
  run.hooks.on_after_optimizer_step(event);
  run.hooks.position.step = run.global_step() + 1;
}

void ManualOptimizer::zero_grad(bool set_to_none) {
  optimizer().zero_grad(set_to_none);
}

Optimizer& ManualOptimizer::optimizer() const {
  return *trainer_.optimizers()[index_];
}

}  // namespace grapnel
