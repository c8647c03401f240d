#include "grapnel/callbacks/timer.h"

#include "../support/recorder.h"
#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/base/clock.h"
#include "temp_dir.h"

namespace timer_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// A training step takes 1 s, a validation step 0.5 s.
class SlowModule : public ToyModule {
 public:
  explicit SlowModule(ManualClock& clock) : clock_(clock) {}
  StepOutput training_step(Batch& batch, int64_t index) override {
    clock_.advance(1.0);
    return ToyModule::training_step(batch, index);
  }
  StepOutput validation_step(Batch&, int64_t, int64_t) override {
    clock_.advance(0.5);
    return {};
  }

 private:
  ManualClock& clock_;
};

struct Fixture {
  std::shared_ptr<Timer> run(TimerOptions timer_options, int64_t max_epochs = 10,
                             int64_t min_epochs = 0) {
    auto timer = std::make_shared<Timer>(timer_options);
    TrainerOptions options = quiet(max_epochs);
    options.clock = &clock;
    if (min_epochs > 0) options.min_epochs = min_epochs;
    SlowModule module(clock);
    Trainer trainer(options, {timer});
    trainer.fit(module, toy_data(3, 2));
    steps = trainer.global_step();
    epochs = trainer.current_epoch();
    return timer;
  }
  ManualClock clock;
  int64_t steps = 0;
  int64_t epochs = 0;
};

}  // namespace

TEST_CASE("Timer stops the training after the batch in which its duration ends") {
  Fixture fixture;
  const auto timer = fixture.run({.duration = 5.0});
  CHECK(fixture.steps == 4);
  // Its time was over after 5 s; the validation that is due at a stop took another.
  CHECK(timer->time_elapsed() == 6.0);
  CHECK(timer->time_remaining().value() == -1.0);
  CHECK(timer->start_time() == 1000.0);
  CHECK(timer->time_elapsed(Stage::validate) == 1.0);
  CHECK_FALSE(timer->start_time(Stage::test).has_value());
}

TEST_CASE("with interval=epoch Timer reads the clock only at the epoch's end") {
  Fixture fixture;
  fixture.run({.duration = 5.0, .interval = Interval::epoch});
  CHECK(fixture.steps == 6);
}

TEST_CASE("Timer with duration 0 trains no batch") {
  Fixture fixture;
  const auto timer = fixture.run({.duration = 0.0});
  CHECK(fixture.steps == 0);
  CHECK_FALSE(timer->start_time().has_value());
}

TEST_CASE("min_epochs defers Timer's stop, and verbose logs that the time is over") {
  Fixture fixture;
  const CapturedLog log;
  fixture.run({.duration = 2.0}, 10, 2);
  CHECK(fixture.epochs == 2);
  CHECK_THAT(log.text(), Catch::Contains("Timer requested a stop at step 2") &&
                             Catch::Contains("info: the time limit"));
  const size_t before = log.text().size();
  fixture.run({.duration = 2.0, .verbose = false}, 10, 2);
  CHECK(log.text().substr(before).find("info: the time limit") == std::string::npos);
}

TEST_CASE("Timer without a duration only measures") {
  Fixture fixture;
  const auto timer = fixture.run({}, 1);
  CHECK(fixture.epochs == 1);
  CHECK(timer->time_elapsed() == 4.0);
  CHECK_FALSE(timer->time_remaining().has_value());
  CHECK_FALSE(timer->bounds_run());
}

TEST_CASE("Timer counts the time of the runs before a resume") {
  const TempDir directory;
  ManualClock clock;
  TrainerOptions options = quiet(1);
  options.clock = &clock;
  {
    SlowModule module(clock);
    Trainer trainer(options, {std::make_shared<Timer>()});
    trainer.fit(module, toy_data(3, 2));
    trainer.save_checkpoint(directory / "a.ckpt");
  }
  options.max_epochs = 9;
  auto timer = std::make_shared<Timer>(TimerOptions{.duration = 6.0});
  SlowModule module(clock);
  Trainer trainer(options, {timer});
  trainer.fit(module, toy_data(3, 2), {.ckpt_path = (directory / "a.ckpt").string()});
  CHECK(trainer.global_step() == 5);  // 3 of the first run, 2 after its 4 s
  CHECK(timer->time_elapsed() >= 6.0);
}

TEST_CASE("in a second fit of the same trainer Timer starts from zero") {
  ManualClock clock;
  TrainerOptions options = quiet(1);
  options.clock = &clock;
  auto timer = std::make_shared<Timer>();
  Trace trace;
  auto watch = std::make_shared<Recorder>(trace);
  std::vector<double> elapsed;
  watch->script = [&](const std::string& hook, Trainer&) {
    if (hook == "on_train_batch_end") elapsed.push_back(timer->time_elapsed());
  };
  SlowModule module(clock);
  Trainer trainer(options, {timer, watch});
  trainer.fit(module, toy_data(2, 0));
  clock.advance(100);
  CHECK(timer->time_elapsed() == 2.0);
  trainer.set_max_epochs(2);
  trainer.fit(module, toy_data(2, 0));
  CHECK(elapsed == std::vector<double>{1, 2, 1, 2});
  CHECK(timer->time_elapsed() == 2.0);
}

TEST_CASE("a timer that is resumed in the process of the first run doesn't count it twice") {
  const TempDir directory;
  const std::string file = (directory / "a.ckpt").string();
  ManualClock clock;
  TrainerOptions options = quiet(1);
  options.clock = &clock;
  auto timer = std::make_shared<Timer>(TimerOptions{.duration = 5.0});
  SlowModule module(clock);
  Trainer trainer(options, {timer});
  trainer.fit(module, toy_data(3, 0));
  trainer.save_checkpoint(file);
  trainer.set_max_epochs(9);
  trainer.fit(module, toy_data(3, 0), {.ckpt_path = file});
  CHECK(trainer.global_step() == 5);  // 3 s of the first run, 2 s more
  CHECK(timer->time_elapsed() == 5.0);
}

TEST_CASE("Timer refuses a negative duration") {
  CHECK_THROWS_AS(Timer({.duration = -1.0}), ConfigError);
}

TEST_CASE("a Timer that looks at the clock after epochs lets a resumed epoch come to its end") {
  const TempDir directory;
  const auto file = directory / "saved.ckpt";
  const auto train = [&](int kill_at, bool resume) {
    ManualClock clock;
    TrainerOptions options = quiet(5);
    options.clock = &clock;
    Trace trace;
    auto killer = std::make_shared<Recorder>(trace);
    int batches = 0;
    killer->script = [&](const std::string& now, Trainer& trainer) {
      if (now != "on_train_batch_end" || ++batches != kill_at) return;
      trainer.save_checkpoint(file);
      throw std::runtime_error("killed");
    };
    SlowModule module(clock);
    Trainer trainer(
        options,
        {std::make_shared<Timer>(TimerOptions{.duration = 10.0, .interval = Interval::epoch}),
         killer});
    try {
      trainer.fit(module, toy_data(8, 0), {.ckpt_path = resume ? file.string() : ""});
    } catch (const std::runtime_error&) {
    }
    return trainer.global_step();
  };
  CHECK(train(0, false) == 16);
  CHECK(train(12, false) == 12);
  CHECK(train(0, true) == 16);
}

TEST_CASE(
    "a stop that a Timer requested after an epoch, and min_epochs puts off, is resumed with") {
  const TempDir directory;
  const auto file = directory / "saved.ckpt";
  // Epochs of 4 seconds; over after the second one, and on until the fourth. Whether the stop was
  // requested, at each batch.
  const auto train = [&](int kill_at, bool resume) {
    ManualClock clock;
    TrainerOptions options = quiet(6);
    options.min_epochs = 4;
    options.clock = &clock;
    Trace trace;
    std::vector<bool> stopping;
    auto killer = std::make_shared<Recorder>(trace);
    killer->script = [&](const std::string& now, Trainer& trainer) {
      if (now != "on_train_batch_end") return;
      stopping.push_back(trainer.should_stop());
      if (static_cast<int>(stopping.size()) != kill_at) return;
      trainer.save_checkpoint(file);
      throw std::runtime_error("killed");
    };
    SlowModule module(clock);
    Trainer trainer(
        options,
        {std::make_shared<Timer>(TimerOptions{.duration = 6.0, .interval = Interval::epoch}),
         killer});
    try {
      trainer.fit(module, toy_data(4, 0), {.ckpt_path = resume ? file.string() : ""});
    } catch (const std::runtime_error&) {
    }
    return stopping;
  };
  const std::vector<bool> whole = train(0, false);
  REQUIRE(whole.size() == 16);
  CHECK_FALSE(whole[7]);
  CHECK(whole[8]);
  for (const int kill_at : {7, 10, 14}) {
    INFO("killed after batch " << kill_at);
    train(kill_at, false);
    CHECK(train(0, true) == std::vector<bool>(whole.begin() + kill_at, whole.end()));
  }
}

}  // namespace timer_test
