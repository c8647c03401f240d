#include "grapnel/run_state.h"

#include "catch.h"
#include "grapnel/request.h"

namespace run_state_test {

using namespace grapnel;

TEST_CASE("run kinds, stages, outcomes and requests have names") {
  CHECK(to_string(RunKind::fit) == "fit");
  CHECK(to_string(RunKind::predict) == "predict");
  CHECK(to_string(Stage::sanity_check) == "sanity_check");
  CHECK(to_string(Stage::train) == "train");
  CHECK(to_string(Status::interrupted) == "interrupted");
  CHECK(to_string(Outcome::stopped) == "stopped");
  CHECK(to_string(Outcome::failed) == "failed");
  CHECK(to_string(RequestKind::skip_step) == "skip_step");
  CHECK(to_string(RequestKind::save) == "save");
}

TEST_CASE("a batch that was in progress when a checkpoint was written is repeated") {
  Progress progress;
  progress.ready();
  progress.started();
  progress.processed();
  progress.completed();
  progress.ready();
  progress.started();
  progress.reset_on_restart();
  CHECK(progress.current.ready == 1);
  CHECK(progress.current.started == 1);
  CHECK(progress.total.ready == 2);
  progress.reset_on_run();
  CHECK(progress.current.completed == 0);
  CHECK(progress.total.completed == 1);
}

}  // namespace run_state_test
