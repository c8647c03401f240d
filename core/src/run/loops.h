// All loops of a run: one per kind, and the validation inside fit.
#pragma once

#include "run/evaluation_loop.h"
#include "run/fit_loop.h"
#include "run/prediction_loop.h"

namespace grapnel {

struct Loops {
  explicit Loops(Run& run);

  // The loop of a kind of run; fit's where there is none.
  Loop& of(RunKind kind);
  // The data of a run are others than those of the last one.
  void forget_loaders();

  FitLoop fit;
  EvaluationLoop validation;  // inside fit
  EvaluationLoop validate;
  EvaluationLoop test;
  PredictionLoop predict;
};

}  // namespace grapnel
