#include "grapnel/callbacks/spike_detection.h"

#include <cmath>

#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/base/json.h"
#include "temp_dir.h"
#include "toy.h"

namespace spike_detection_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// Its training losses are given.
class GivenLosses : public ToyModule {
 public:
  explicit GivenLosses(std::vector<double> losses) : losses_(std::move(losses)) {}
  StepOutput training_step(Batch& batch, int64_t batch_idx) override {
    return forward(batch[0]).sum() * 0 + losses_.at(static_cast<size_t>(batch_idx));
  }

 private:
  std::vector<double> losses_;
};

struct Result {
  std::optional<int64_t> batch = {};  // of the spike
  std::string message = {};
  std::shared_ptr<SpikeDetection> callback = {};
};

Result run(const std::vector<double>& losses, SpikeDetectionOptions options,
           const std::filesystem::path& directory) {
  if (options.exclude_batches_path.empty()) options.exclude_batches_path = directory;
  Result result{.callback = std::make_shared<SpikeDetection>(std::move(options))};
  GivenLosses module(losses);
  Trainer trainer(quiet(1), {result.callback});
  try {
    trainer.fit(module, toy_data(static_cast<int64_t>(losses.size()), 0));
  } catch (const TrainingSpikeError& error) {
    result.batch = error.batch_idx;
    result.message = error.what();
  }
  return result;
}

}  // namespace

TEST_CASE("a loss far above the running mean ends the run, and its batch is written to a file") {
  const TempDir directory;
  const Result result = run({1, 1, 1, 50, 1}, {}, directory.path());
  CHECK(result.batch == 3);
  CHECK_THAT(result.message, Catch::Contains("batch 3") && Catch::Contains("50"));
  CHECK((result.callback->bad_batches() == std::vector<int64_t>{2, 3}));
  const std::string text = files_below(directory.path()).contains("skip_batches.json")
                               ? write_json(read_json_file(directory / "skip_batches.json"))
                               : "";
  CHECK(text == "[2,3]");
  CHECK(result.callback->last_val() == 1);
}

TEST_CASE("a spike exceeds both tolerances, either of which may be left out") {
  const TempDir directory;
  CHECK_FALSE(run({1, 1, 2.5}, {}, directory.path()).batch.has_value());
  CHECK(run({1, 1, 3}, {}, directory.path()).batch == 2);
  CHECK_FALSE(run({1, 1, 3}, {.atol = 5.0}, directory.path()).batch.has_value());
  CHECK(run({1, 1, 3}, {.atol = 1.5, .rtol = {}}, directory.path()).batch == 2);
}

TEST_CASE("a better value is not a spike, in either mode") {
  const TempDir directory;
  CHECK_FALSE(run({50, 50, 1}, {.atol = 1.0, .rtol = 0.1}, directory.path()).batch.has_value());
  CHECK(run({50, 50, -200}, {.mode = MonitorMode::max}, directory.path()).batch == 2);
}

TEST_CASE("a NaN loss is a spike unless finite_only is off") {
  const TempDir directory;
  CHECK(run({1, NAN, 1}, {}, directory.path()).batch == 1);
  const Result result = run({1, NAN, 1}, {.finite_only = false}, directory.path());
  CHECK_FALSE(result.batch.has_value());
  CHECK(result.callback->last_val() == 1);
}

TEST_CASE("SpikeDetection reports nothing during the warm-up") {
  const TempDir directory;
  CHECK(run({1, 90, 1, 900}, {.warmup = 3}, directory.path()).batch == 3);
}

TEST_CASE("SpikeDetection's running mean is over the last `window` losses") {
  const TempDir directory;
  const std::vector<double> rising = {4, 5, 6, 7, 8, 9, 16, 30};
  CHECK(run(rising, {.window = 2, .rtol = 1.0}, directory.path()).batch == 7);
  CHECK(run(rising, {.rtol = 1.0}, directory.path()).batch == 6);
}

TEST_CASE("exclude_batches_path may be in a directory that doesn't exist yet") {
  const TempDir directory;
  const auto path = directory / "a" / "skip.json";
  CHECK(run({1, 1, 9}, {.exclude_batches_path = path}, directory.path()).batch == 2);
  CHECK(files_below(directory.path()) == Names{"a/skip.json"});
}

TEST_CASE("SpikeDetection's state is restored as it was saved") {
  const TempDir directory;
  const Result before = run({1, 2, 3, 100}, {.atol = 0.5, .exclude_batches_path = directory.path()},
                            directory.path());
  SpikeDetection after;
  after.load_state_dict(before.callback->state_dict());
  CHECK(after.last_val() == before.callback->last_val());
  CHECK(after.bad_batches() == before.callback->bad_batches());
  CHECK(after.exclude_batches_path() == before.callback->exclude_batches_path());
  StateDict other = before.callback->state_dict();
  other["mode"] = "avg";
  CHECK_THROWS_WITH(after.load_state_dict(other), Catch::Contains("'avg'"));
}

TEST_CASE("options of spike detection out of range are refused by name") {
  CHECK_THROWS_WITH(SpikeDetection({.window = 0}),
                    Catch::Contains("window must be at least 1, found the integer 0"));
  CHECK_THROWS_WITH(SpikeDetection({.warmup = -1}),
                    Catch::Contains("warmup must be at least 0, found the integer -1"));
  CHECK_THROWS_WITH(SpikeDetection({.rtol = -0.5}),
                    Catch::Contains("rtol must be at least 0, found the number -0.5"));
}

}  // namespace spike_detection_test
