// The loop's counters in a checkpoint are checked before a run continues from them.
#include <limits>

#include "../support/traced_run.h"
#include "catch.h"
#include "grapnel/checkpoint.h"
#include "temp_dir.h"

namespace checkpoint_counters_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

// A checkpoint written after the third batch, with its loop's state changed.
std::string error_of(const std::function<void(StateDict& fit_loop)>& change) {
  const TempDir directory;
  const auto file = directory / "changed.ckpt";
  const TracedSetup setup{.options = quiet(2), .batches = 5};
  TracedRun stopped;
  stopped.fit(setup, actor_at("on_train_batch_end", 3, [&](Trainer& trainer) {
                StateDict checkpoint = trainer.dump_checkpoint();
                change(checkpoint.at("loops").to_dict().at("fit_loop").to_dict());
                save_checkpoint_file(file, checkpoint);
                throw std::runtime_error("killed");
              }));
  TracedRun resumed;
  std::string error = resumed.fit(setup, nullptr, file);
  if (!error.empty()) CHECK_THAT(error, Contains("changed.ckpt"));
  if (error.empty()) CHECK(resumed.global_step == 10);
  return error;
}

}  // namespace

TEST_CASE("counters that no training can have had are refused with the file and the key") {
  constexpr int64_t least = std::numeric_limits<int64_t>::min();
  struct Case {
    std::string tracker, part, key;
    int64_t value;
  };
  const std::vector<Case> cases = {{"epoch_progress", "current", "processed", least},
                                   {"epoch_progress", "current", "processed", -1},
                                   {"epoch_progress", "total", "completed", 7},
                                   {"epoch_progress", "current", "ready", 9},
                                   {"batch_progress", "current", "ready", int64_t{1} << 62},
                                   {"batch_progress", "current", "completed", 4},
                                   {"batch_progress", "total", "ready", 1},
                                   {"optimizer_step", "total", "completed", -3},
                                   {"scheduler_progress", "current", "ready", least},
                                   {"val_batch_progress", "total", "started", -2}};
  for (const Case& one : cases) {
    INFO(one.tracker << "." << one.part << "." << one.key << " = " << one.value);
    const std::string error = error_of([&](StateDict& fit) {
      fit.at(one.tracker).to_dict().at(one.part).to_dict()[one.key] = one.value;
    });
    CHECK_THAT(error, Contains("loops.fit_loop." + one.tracker));
  }
  for (const std::string key : {"batches_that_stepped", "validated_at_batch", "window_start"}) {
    for (const int64_t value : {least, int64_t{-2}, int64_t{1} << 62}) {
      INFO(key << " = " << value);
      CHECK_THAT(error_of([&](StateDict& fit) { fit[key] = value; }), Contains(key));
    }
  }
  CHECK_THAT(error_of([](StateDict& fit) { fit.at("resume_point").to_dict()["phase"] = "asleep"; }),
             Contains("asleep"));
}

TEST_CASE("a checkpoint without a resume point is resumed by its counters") {
  const auto former = [](StateDict& fit) {
    for (const char* key : {"resume_point", "requests", "scheduler_steps", "validation_schedule",
                            "filter_times", "validation_batches_seen"}) {
      fit.erase(key);
    }
  };
  CHECK(error_of(former) == "");
}

}  // namespace checkpoint_counters_test
