#include "run/run_scope.h"

#include <ATen/Context.h>
#include <fmt/format.h>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "run/run.h"
#include "values/exception_text.h"

namespace grapnel {

namespace {

// Runs of this thread that have begun and not ended.
thread_local int runs_begun = 0;

// The run that goes on around one of `self`'s trainer; nullptr: none.
Run* outer_run(const Run& self, Trainer* trainer) {
  if (trainer == nullptr || trainer == &self.trainer) return nullptr;
  Run& other = Run::of(*trainer);
  return other.is_running() ? &other : nullptr;
}

}  // namespace

RunScope::RunScope(Run& run, Module& module, const DataModule* data)
    : run_(run),
      deterministic_(at::globalContext().deterministicAlgorithms()),
      deterministic_warns_(at::globalContext().deterministicAlgorithmsWarnOnly()),
      benchmark_(at::globalContext().benchmarkCuDNN()) {
  run.refuse_while_running();
  if (module.has_trainer()) of_module_ = outer_run(run, &module.trainer());
  if (data != nullptr) of_data_ = outer_run(run, data->trainer());
  if (of_module_ != nullptr) borrow_module(module);
  if (runs_begun > 0 && run.options.seed.has_value()) generators_.emplace();
  ++runs_begun;
  run.executing = true;
}

void RunScope::borrow_module(Module& module) {
  const Run& outer = *of_module_;
  if (outer.device != run_.device ||
      converted_type(outer.options.precision) != converted_type(run_.options.precision)) {
    throw ConfigError(
        {}, fmt::format("{} is in another trainer's {} now, on {} with precision {}; a run of it "
                        "meanwhile must have the same device and precision, found {} and {}",
                        module.type_name(), to_string(outer.state.kind), outer.device.str(),
                        to_string(outer.options.precision), run_.device.str(),
                        to_string(run_.options.precision)));
  }
  modes_ = module.training_modes();
  for (const StateEntry& entry : module.state_view().parameters()) {
    gradients_.emplace_back(entry.tensor, entry.tensor.grad());
    entry.tensor.mutable_grad().reset();
  }
}

RunScope::~RunScope() {
  run_.executing = false;
  --runs_begun;
  at::globalContext().setDeterministicAlgorithms(deterministic_, deterministic_warns_);
  at::globalContext().setBenchmarkCuDNN(benchmark_);
  if (of_data_ != nullptr) of_data_->reclaim();
  if (of_module_ == nullptr) return;
  of_module_->reclaim();
  for (const auto& [parameter, gradient] : gradients_) parameter.mutable_grad() = gradient;
  try {
    of_module_->module->set_training_modes(modes_);
  } catch (...) {
    log_error(
        "after a run within another one, the modes of the module's layers could not be put back: {}",
        exception_text(std::current_exception()));
  }
}

}  // namespace grapnel
