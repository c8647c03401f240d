// A run that resumes within an epoch whose batches have another size, number or order.
#include <deque>

#include "../support/resumed_data.h"
#include "catch.h"
#include "grapnel/callbacks/batch_size_finder.h"
#include "grapnel/data/combined_loader.h"
#include "grapnel/data/function_loader.h"

namespace data_position_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

using Texts = std::vector<std::string>;

// What must hold however the data differ: each epoch has its validation and its scheduler's step.
SeenTraining resumed(const NumberedTraining& before, const NumberedTraining& after,
                     const KilledAt& kill = {}) {
  SeenTraining seen = resume_numbered(before, after, kill);
  CHECK(seen.validated.size() == 2);
  CHECK(seen.lr == 0.01 * 0.25);
  CHECK(seen.epochs == 2);
  return seen;
}

NumberedTraining of_size(int64_t size) {
  return {.loader = {.batch_size = size}};
}

// Batches of consecutive samples, from a source that says what it is given to say.
NumberedTraining stream(int64_t size, FunctionLoaderOptions said) {
  NumberedTraining training;
  training.make_loader = [=] {
    const auto whole = numbered_loader({.batch_size = size});
    return std::make_shared<FunctionLoader>(
        [=](int64_t epoch) -> FunctionLoader::Batches {
          auto own = whole->cursor();
          own->start(epoch);
          return [own] { return own->next(); };
        },
        said);
  };
  return training;
}

NumberedTraining combined(CombinedMode mode, int64_t size_a, int64_t size_b, int64_t samples_b) {
  NumberedTraining training;
  training.make_loader = [=] {
    return std::make_shared<CombinedLoader>(
        std::vector<CombinedLoader::Source>{
            {"a", numbered_loader({.batch_size = size_a})},
            {"b", numbered_loader({.batch_size = size_b}, samples_b)}},
        mode);
  };
  return training;
}

}  // namespace

TEST_CASE("with another batch size a run continues at the same sample") {
  for (const KilledAt& kill :
       {KilledAt{8, "on_train_batch_end"}, KilledAt{9, "on_train_batch_start"},
        KilledAt{9, "on_before_optimizer_step"}}) {
    for (const int64_t size : {2, 8, 16, 32}) {
      INFO("batches of " << size << " from " << kill.hook);
      const SeenTraining seen = resumed({}, of_size(size), kill);
      CHECK(seen.first_epoch == 0);
      CHECK(seen.first_batch == 32 / size);
      CHECK(seen.first_numbers[0] == 32);
      CHECK(seen.times.size() == 48);
      CHECK(seen.warnings.empty());
    }
  }
  CHECK(resumed({}, of_size(8)).samples_trained(1) == 48);
}

TEST_CASE("a batch size whose batches don't end at the same sample repeats some, with a warning") {
  const SeenTraining seen = resumed({}, of_size(5));
  CHECK(seen.first_batch == 6);
  CHECK(seen.samples_trained(2) == 2);
  CHECK(seen.samples_trained(1) == 46);
  REQUIRE(seen.warnings.size() == 1);
  CHECK_THAT(seen.warnings[0], Contains("after 8 of 12 batches of 4 samples") &&
                                   Contains("10 batches of 5 samples") &&
                                   Contains("2 samples are trained a second time"));
}

TEST_CASE("a checkpoint of the epoch's last batch resumes at its end with any batch size") {
  for (const int64_t size : {2, 5, 8, 48, 100}) {
    INFO("batches of " << size);
    const SeenTraining seen = resumed({}, of_size(size), {12});
    CHECK(seen.first_epoch == 1);
    CHECK(seen.samples_trained(1) == 48);
    CHECK(seen.warnings.empty());
  }
  CHECK(resumed(of_size(5), {}, {10}).first_epoch == 1);
}

TEST_CASE("an epoch whose batches were all done ends with its validation and its schedulers") {
  const SeenTraining limited = resumed({}, {.limit = int64_t{5}});
  CHECK(limited.first_epoch == 1);
  REQUIRE(limited.warnings.size() == 1);
  CHECK_THAT(limited.warnings[0],
             Contains("after 8 of 12 batches") && Contains("5 batches") && Contains("ends"));
  CHECK(resumed({}, {.limit = int64_t{8}}).first_epoch == 1);
  CHECK(resumed({}, {.limit = 0.5}).first_epoch == 1);
  CHECK(resumed({}, {.loader = {.batch_size = 24}, .limit = int64_t{1}}).first_epoch == 1);
  const SeenTraining shorter = resumed({}, {.samples = 20});
  CHECK(shorter.first_epoch == 1);
  REQUIRE_FALSE(shorter.warnings.empty());
  CHECK_THAT(shorter.warnings[0], Contains("20 samples") && Contains("48"));
}

TEST_CASE("an epoch that gets more batches continues where it was, with a warning") {
  const SeenTraining seen = resumed({.limit = int64_t{10}}, {});
  CHECK(seen.first_epoch == 0);
  CHECK(seen.first_batch == 8);
  CHECK(seen.samples_trained(1) == 48);
  REQUIRE(seen.warnings.size() == 1);
  CHECK_THAT(seen.warnings[0], Contains("10 batches") && Contains("12 batches"));

  const SeenTraining longer = resumed({}, {.samples = 60});
  CHECK(longer.samples_trained(1) == 60);
  REQUIRE_FALSE(longer.warnings.empty());
  CHECK_THAT(longer.warnings[0], Contains("60 samples") && Contains("48"));
}

TEST_CASE("a limit that is a fraction is one of the batches there are now") {
  const SeenTraining seen = resumed({.limit = 0.75}, {.loader = {.batch_size = 8}, .limit = 0.75});
  CHECK(seen.first_epoch == 1);
  CHECK(seen.samples_trained(1) == 32);
  const SeenTraining earlier =
      resumed({.limit = 0.75}, {.loader = {.batch_size = 8}, .limit = 0.75}, {4});
  CHECK(earlier.first_batch == 2);
  CHECK(earlier.samples_trained(1) == 32);
}

TEST_CASE("another order of the samples is warned about") {
  const NumberedTraining shuffled{.loader = {.batch_size = 4, .shuffle = true, .seed = 3}};
  CHECK(resumed(shuffled, shuffled).warnings.empty());
  const SeenTraining other_size =
      resumed(shuffled, {.loader = {.batch_size = 8, .shuffle = true, .seed = 3}});
  CHECK(other_size.samples_trained(1) == 48);
  CHECK(other_size.warnings.empty());
  const SeenTraining other =
      resumed(shuffled, {.loader = {.batch_size = 4, .shuffle = true, .seed = 4}});
  REQUIRE(other.warnings.size() == 1);
  CHECK_THAT(other.warnings[0], Contains("seed 4") && Contains("seed 3"));
  const SeenTraining in_order = resumed(shuffled, {});
  REQUIRE(in_order.warnings.size() == 1);
  CHECK_THAT(in_order.warnings[0], Contains("not shuffled"));
}

TEST_CASE("overfit_batches that is added or left out is another order and another length") {
  const NumberedTraining shuffled{.loader = {.batch_size = 4, .shuffle = true}};
  NumberedTraining overfit = shuffled;
  overfit.overfit = int64_t{10};
  CHECK(resumed(overfit, overfit).warnings.empty());
  const SeenTraining added = resumed(shuffled, overfit);
  CHECK(added.warnings.size() == 2);
  CHECK(added.first_batch == 8);
  CHECK(resumed(overfit, shuffled).warnings.size() == 2);
}

TEST_CASE("a failure after which a loader has its shuffling back is no other order") {
  NumberedTraining overfit{.loader = {.batch_size = 4, .shuffle = true}};
  overfit.overfit = int64_t{10};
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  const auto loader = overfit.train();
  overfit.make_loader = [=] { return loader; };
  SeenTraining seen;
  // Leases have ended in on_exception.
  const auto failing = [&](const std::string& hook, Trainer& trainer) {
    if (hook == "on_train_batch_start" && trainer.state().batch.current.ready == 9) {
      throw std::runtime_error("killed");
    }
    if (hook == "on_exception") trainer.save_checkpoint(file);
  };
  Trace trace;
  auto recorder = std::make_shared<Recorder>(trace);
  recorder->script = failing;
  NumberedTraining killed = overfit;
  killed.callbacks = [&] { return std::vector<CallbackHandle>{recorder}; };
  train_numbered(killed, seen, file, nullptr);
  seen.first_batch = -1;
  train_numbered(overfit, seen, file, nullptr);
  CHECK(seen.first_batch == 8);
  CHECK(seen.warnings.empty());
}

TEST_CASE("a batch size found in a resumed fit continues at the same sample") {
  NumberedTraining finding;
  finding.callbacks = [] {
    BatchSizeFinderOptions options;
    options.init_val = 8;
    options.max_val = 8;
    return std::vector<CallbackHandle>{std::make_shared<BatchSizeFinder>(options)};
  };
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  SeenTraining seen;
  const KilledAt kill;
  train_numbered({}, seen, file, &kill);
  seen = {};
  train_numbered(finding, seen, file, nullptr);
  CHECK(seen.validated == Texts{"0/6", "1/6"});
  CHECK(seen.first_batch >= 0);
  CHECK(seen.times.contains(47));
}

TEST_CASE("a stream's position is converted where it says its batch size") {
  const SeenTraining seen = resumed(stream(4, {.batch_size = 4}), stream(8, {.batch_size = 8}));
  CHECK(seen.first_numbers[0] == 32);
  CHECK(seen.samples_trained(1) == 48);
  CHECK(seen.warnings.empty());

  // Fewer batches than were done, which only their end shows.
  const SeenTraining ended = resumed(stream(4, {}), stream(8, {}));
  CHECK(ended.first_epoch == 1);
  CHECK(ended.warnings.size() == 1);
  CHECK(resumed(stream(4, {}), stream(4, {})).warnings.empty());
}

TEST_CASE("a loader that doesn't say its batch size has that of its batches") {
  for (const int64_t size : {2, 8, 16}) {
    INFO("batches of " << size);
    const SeenTraining seen = resumed(stream(4, {.size = 12}), stream(size, {.size = 48 / size}));
    CHECK(seen.first_batch == 32 / size);
    CHECK(seen.samples_trained(1) == 48);
    CHECK(seen.warnings.empty());
  }
  // A stream's next batch tells.
  const SeenTraining seen = resumed(stream(4, {}), stream(2, {}));
  CHECK(seen.first_batch == 8);
  REQUIRE(seen.warnings.size() == 1);
  CHECK_THAT(seen.warnings[0], Contains("has 2 samples") && Contains("had 4"));
  // A size that varies is none: 20 batches of 2 and 3 samples, of which 12 are taken or all.
  const auto varied = [](Amount limit) {
    NumberedTraining training = stream(4, {.size = 20});
    training.limit = limit;
    training.make_loader = [] {
      return std::make_shared<FunctionLoader>(
          [](int64_t) -> FunctionLoader::Batches {
            const at::Tensor x = at::zeros({3, 3});
            return [x, next = 0]() mutable -> std::optional<Batch> {
              if (next == 20) return {};
              const at::Tensor part = x.narrow(0, 0, 2 + next++ % 2);
              return Batch({part, part.sum(1, true)});
            };
          },
          FunctionLoaderOptions{.size = 20});
    };
    return training;
  };
  const SeenTraining other_length = resumed(varied(int64_t{12}), varied(1.0));
  CHECK(other_length.first_batch == 8);
  CHECK(other_length.warnings.size() == 1);
}

TEST_CASE("combined loaders are at the same samples of all of them") {
  for (const CombinedMode mode : {CombinedMode::min_size, CombinedMode::max_size}) {
    INFO(to_string(mode));
    const SeenTraining seen = resumed(combined(mode, 4, 2, 24), combined(mode, 8, 4, 24));
    CHECK(seen.first_batch == 4);
    CHECK(seen.samples_trained(1) == 48);
    CHECK(seen.warnings.empty());
  }
  // In its second round at batch 8: 6 batches are one round.
  const SeenTraining cycle = resumed(combined(CombinedMode::max_size_cycle, 4, 4, 24),
                                     combined(CombinedMode::max_size_cycle, 8, 8, 24));
  CHECK(cycle.first_batch == 4);
  CHECK(cycle.samples_trained(1) == 48);
  CHECK(cycle.warnings.empty());
}

TEST_CASE("combined loaders of which one is elsewhere are warned about") {
  const SeenTraining seen = resumed(combined(CombinedMode::min_size, 4, 2, 24),
                                    combined(CombinedMode::min_size, 8, 2, 24));
  CHECK(seen.first_batch == 4);
  REQUIRE(seen.warnings.size() == 1);
  CHECK_THAT(seen.warnings[0], Contains("a second time"));

  const SeenTraining fewer = resumed(combined(CombinedMode::min_size, 4, 4, 48), {});
  CHECK(fewer.first_batch == 8);
  REQUIRE(fewer.warnings.size() == 1);
  CHECK_THAT(fewer.warnings[0], Contains("2 loaders") && Contains("1 loader"));
}

TEST_CASE("an epoch that max_steps cut short continues at the same sample") {
  const SeenTraining seen = resumed({.max_steps = 8}, of_size(8), {-1, ""});
  CHECK(seen.first_epoch == 0);
  CHECK(seen.first_batch == 4);
  CHECK(seen.samples_trained(1) == 48);
}

TEST_CASE("a checkpoint that a resumed run writes before its first batch has the same position") {
  const TempDir directory;
  const auto file = directory / "a.ckpt";
  const auto second = directory / "b.ckpt";
  SeenTraining seen;
  const KilledAt kill;
  train_numbered({}, seen, file, &kill);
  Trace trace;
  auto recorder = std::make_shared<Recorder>(trace);
  recorder->script = [&](const std::string& hook, Trainer& trainer) {
    if (hook != "on_train_start") return;
    trainer.save_checkpoint(second);
    throw std::runtime_error("killed");
  };
  NumberedTraining early = of_size(8);
  early.callbacks = [&] { return std::vector<CallbackHandle>{recorder}; };
  train_numbered(early, seen, file, nullptr);
  seen.first_batch = -1;
  train_numbered(of_size(16), seen, second, nullptr);
  CHECK(seen.first_batch == 2);
  CHECK(seen.samples_trained(1) == 48);
}

TEST_CASE("a checkpoint of an epoch's end says nothing about batches") {
  const SeenTraining seen =
      resumed({}, {.loader = {.batch_size = 8, .shuffle = true, .seed = 9}, .limit = int64_t{3}},
              {12, "on_train_epoch_end"});
  CHECK(seen.warnings.empty());
  CHECK(seen.first_epoch == 1);
  CHECK(seen.first_batch == 0);
}

}  // namespace data_position_test
