// What a run holds from its beginning to its end, and what it gives back on every way out.
//
// A trainer runs one thing at a time. Another trainer may run within a hook of the first, also the
// same module and data module; it then takes their place only for that time: the trainer that both
// belong to, the modes of the layers and the gradients of an open accumulation window come back
// when it ends, and so do the random numbers of the outer run if the inner one seeds its own.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grapnel/module.h"
#include "values/rng.h"

namespace grapnel {

class Run;

class RunScope {
 public:
  // Throws ConfigError when the run's trainer is running already, and when another one runs the
  // module on another device or in another type of parameters. data: may be null.
  RunScope(Run& run, Module& module, const DataModule* data);
  ~RunScope();
  RunScope(const RunScope&) = delete;
  RunScope& operator=(const RunScope&) = delete;

 private:
  void borrow_module(Module& module);

  Run& run_;
  Run* of_module_ = nullptr;  // the outer run of the module; null: none
  Run* of_data_ = nullptr;
  std::vector<std::pair<std::string, bool>> modes_;
  std::vector<std::pair<at::Tensor, at::Tensor>> gradients_;  // parameter, and its gradient
  std::optional<GeneratorScope> generators_;
  bool deterministic_;
  bool deterministic_warns_;
  bool benchmark_;
};

}  // namespace grapnel
