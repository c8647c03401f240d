#include "grapnel/run_state.h"

#include "grapnel/request.h"

namespace grapnel {

std::string_view to_string(RunKind kind) {
  switch (kind) {
    case RunKind::none:
      return "none";
    case RunKind::fit:
      return "fit";
    case RunKind::validate:
      return "validate";
    case RunKind::test:
      return "test";
    case RunKind::predict:
      return "predict";
  }
  return "unknown";
}

std::string_view to_string(Stage stage) {
  switch (stage) {
    case Stage::none:
      return "none";
    case Stage::train:
      return "train";
    case Stage::sanity_check:
      return "sanity_check";
    case Stage::validate:
      return "validate";
    case Stage::test:
      return "test";
    case Stage::predict:
      return "predict";
  }
  return "unknown";
}

std::string_view to_string(Status status) {
  switch (status) {
    case Status::initializing:
      return "initializing";
    case Status::running:
      return "running";
    case Status::finished:
      return "finished";
    case Status::interrupted:
      return "interrupted";
  }
  return "unknown";
}

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::finished:
      return "finished";
    case Outcome::stopped:
      return "stopped";
    case Outcome::interrupted:
      return "interrupted";
    case Outcome::failed:
      return "failed";
  }
  return "unknown";
}

std::string_view to_string(RequestKind kind) {
  switch (kind) {
    case RequestKind::stop:
      return "stop";
    case RequestKind::skip_batch:
      return "skip_batch";
    case RequestKind::skip_step:
      return "skip_step";
    case RequestKind::end_epoch:
      return "end_epoch";
    case RequestKind::evaluate:
      return "evaluate";
    case RequestKind::save:
      return "save";
  }
  return "unknown";
}

}  // namespace grapnel
