#include "grapnel/run_state.h"

#include "grapnel/base/described.h"
#include "grapnel/request.h"

namespace grapnel {

GRAPNEL_DESCRIBE_ENUM(RunKind, none, fit, validate, test, predict);
GRAPNEL_DESCRIBE_ENUM(Stage, none, train, sanity_check, validate, test, predict);
GRAPNEL_DESCRIBE_ENUM(Status, initializing, running, finished, interrupted);
GRAPNEL_DESCRIBE_ENUM(Outcome, finished, stopped, interrupted, failed);
GRAPNEL_DESCRIBE_ENUM(RequestKind, stop, skip_batch, skip_step, end_epoch, evaluate, save);

std::string_view to_string(RunKind kind) {
  return enum_text(kind);
}

std::string_view to_string(Stage stage) {
  return enum_text(stage);
}

std::string_view to_string(Status status) {
  return enum_text(status);
}

std::string_view to_string(Outcome outcome) {
  return enum_text(outcome);
}

std::string_view to_string(RequestKind kind) {
  return enum_text(kind);
}

}  // namespace grapnel
