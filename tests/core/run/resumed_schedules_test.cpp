// What counts an epoch's batches goes on with the same training when a resumed run has batches of
// another size: accumulation windows, the validations within an epoch, schedulers that step with
// the optimizer.
#include "../support/resumed_data.h"
#include "catch.h"

namespace resumed_schedules_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

using Texts = std::vector<std::string>;

NumberedTraining windows(int64_t batch_size, int64_t accumulate) {
  return {.loader = {.batch_size = batch_size}, .accumulate = accumulate};
}

at::Tensor weight_of(const NumberedTraining& training) {
  const TempDir directory;
  SeenTraining seen;
  train_numbered(training, seen, directory / "none.ckpt", nullptr);
  return seen.weight;
}

NumberedTraining validating(int64_t batch_size, ValCheckInterval interval) {
  return {.loader = {.batch_size = batch_size}, .val_check_interval = std::move(interval)};
}

}  // namespace

TEST_CASE("an open accumulation window is done again with batches of another size") {
  // Steps on 8 samples in both: the same training.
  const at::Tensor expected = weight_of(windows(4, 2));
  for (const int64_t killed_after : {7, 8, 9}) {
    for (const auto& [size, accumulate] : {std::pair(8, 1), std::pair(2, 4), std::pair(1, 8)}) {
      INFO("after " << killed_after << " batches, then of " << size << " samples");
      const SeenTraining seen =
          resume_numbered(windows(4, 2), windows(size, accumulate), {killed_after});
      CHECK(at::allclose(seen.weight, expected, 1e-5, 1e-7));
      CHECK(seen.first_numbers[0] == killed_after / 2 * 8);
      CHECK(seen.warnings.size() == (killed_after == 8 ? 0U : 1U));
    }
  }
}

TEST_CASE("another accumulate_grad_batches within a window begins the window anew") {
  const SeenTraining seen = resume_numbered(windows(4, 3), windows(4, 2));
  CHECK(seen.first_batch == 6);
  CHECK(seen.samples_trained(1) == 40);
  CHECK(seen.samples_trained(2) == 8);
  REQUIRE(seen.warnings.size() == 1);
  CHECK_THAT(seen.warnings[0], Contains("accumulate_grad_batches") && Contains("3") &&
                                   Contains("2") && Contains("window"));
}

TEST_CASE(
    "another accumulate_grad_batches between windows is told of where the first one is short") {
  CHECK(resume_numbered(windows(4, 3), windows(4, 2), {6}).warnings.empty());
  const SeenTraining seen = resume_numbered(windows(4, 3), windows(4, 2), {9});
  CHECK(seen.first_batch == 9);
  REQUIRE(seen.warnings.size() == 1);
  CHECK_THAT(seen.warnings[0], Contains("accumulate_grad_batches"));
}

TEST_CASE("validations within an epoch come after the same samples") {
  const SeenTraining half = resume_numbered(validating(4, 0.25), validating(8, 0.25));
  CHECK(half.validated ==
        Texts{"0/3", "0/6", "0/5", "0/6", "1/1", "1/2", "1/3", "1/4", "1/5", "1/6"});
  const SeenTraining after = resume_numbered(validating(4, 0.5), validating(8, 0.5));
  CHECK(after.validated == Texts{"0/6", "0/6", "1/3", "1/6"});
  const SeenTraining before = resume_numbered(validating(4, 0.5), validating(8, 0.5), {4});
  CHECK(before.validated == Texts{"0/3", "0/6", "1/3", "1/6"});
  const SeenTraining smaller = resume_numbered(validating(4, 0.5), validating(2, 0.5));
  CHECK(smaller.validated == Texts{"0/6", "0/24", "1/12", "1/24"});
}

TEST_CASE("a validation that was due comes before the batches have another size") {
  // At the end of batch 6; and in the middle of the validation after it.
  for (const char* hook :
       {"on_train_batch_end", "on_validation_batch_start", "on_validation_end"}) {
    INFO(hook);
    const SeenTraining seen = resume_numbered(validating(4, 0.5), validating(8, 0.5), {6, hook});
    const size_t by_resumed = std::string(hook) == "on_validation_end" ? 4 : 3;
    CHECK(seen.validated.size() == by_resumed + (by_resumed == 3 ? 1 : 0));
    CHECK(seen.validated.back() == "1/6");
    CHECK(seen.first_batch == 3);
    CHECK(seen.first_numbers[0] == 24);
  }
}

TEST_CASE("a limit that ends the epoch leaves no validation out that was still to come") {
  NumberedTraining limited = validating(4, 0.5);
  limited.limit = int64_t{7};
  CHECK(resume_numbered(validating(4, 0.5), limited).validated ==
        Texts{"0/6", "0/7", "1/3", "1/6"});
}

TEST_CASE("a scheduler per step goes on with its steps") {
  NumberedTraining before;
  before.scheduler.interval = Interval::step;
  before.scheduler.frequency = 4;
  NumberedTraining after = before;
  after.loader.batch_size = 8;
  after.scheduler.frequency = 2;
  // 12 batches of 4 are 3 steps of the scheduler, 6 of 8 are 3 as well.
  CHECK(resume_numbered(before, after).lr == Approx(0.01 / 64));
  CHECK(resume_numbered(before, after, {6}).lr == Approx(0.01 / 64));
  after.loader.batch_size = 2;
  after.scheduler.frequency = 8;
  CHECK(resume_numbered(before, after).lr == Approx(0.01 / 64));
}

}  // namespace resumed_schedules_test
