#include "run/loops.h"

namespace grapnel {

Loops::Loops(Run& run)
    : fit(run),
      validation(run, RunKind::fit),
      validate(run, RunKind::validate),
      test(run, RunKind::test),
      predict(run) {}

Loop& Loops::of(RunKind kind) {
  switch (kind) {
    case RunKind::validate:
      return validate;
    case RunKind::test:
      return test;
    case RunKind::predict:
      return predict;
    case RunKind::fit:
    case RunKind::none:
      break;
  }
  return fit;
}

void Loops::forget_loaders() {
  fit.forget_loaders();
  validation.forget_loaders();
  validate.forget_loaders();
  test.forget_loaders();
  predict.forget_loaders();
}

}  // namespace grapnel
