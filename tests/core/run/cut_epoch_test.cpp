// A run that a limit or a stop ended within an epoch: resumed with more to do it trains the rest.
#include <fmt/format.h>

#include "../support/traced_run.h"
#include "captured_log.h"
#include "catch.h"
#include "grapnel/base/clock.h"
#include "grapnel/lr_schedulers/reduce_lr_on_plateau.h"
#include "row_logger.h"
#include "temp_dir.h"

namespace cut_epoch_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;
namespace fs = std::filesystem;

TEST_CASE("a run that was ended within an epoch continues with the rest of it") {
  const TempDir directory;
  const TracedSetup setup;
  TracedRun whole;
  whole.fit(setup, nullptr);
  ManualClock clock;
  struct Ended {
    const char* by;
    std::function<void(TrainerOptions&)> set;
    std::function<void(Trainer&)> action;
  };
  const std::vector<Ended> ends = {
      {"max_steps", [](TrainerOptions& options) { options.max_steps = 7; }, {}},
      {"max_time",
       [&](TrainerOptions& options) {
         options.max_time = "00:00:00:07";
         options.clock = &clock;
       },
       {}},
      {"request_stop", {}, [](Trainer& trainer) { trainer.request_stop("enough"); }},
      {"should_stop", {}, [](Trainer& trainer) { trainer.set_should_stop(true); }}};
  for (const Ended& end : ends) {
    for (const std::string place : {"on_train_epoch_end", "on_train_end", "afterwards"}) {
      INFO(end.by << ", saved " << place);
      const auto file = directory / "ended.ckpt";
      TracedSetup limited = setup;
      if (end.set) end.set(limited.options);
      int batches = 0;
      auto actor = actor_at("", 0, {});
      actor->script = [&](const std::string& now, Trainer& trainer) {
        if (now == "on_train_batch_start") clock.advance(1);
        if (now == "on_train_batch_start" && ++batches == 7 && end.action) end.action(trainer);
        if (now == place) trainer.save_checkpoint(file);
        if (now == "teardown" && place == "afterwards") trainer.save_checkpoint(file);
      };
      TracedRun first;
      CHECK(first.fit(limited, actor) == "");
      CHECK(first.global_step == 7);
      TracedRun rest;
      CHECK(rest.fit(setup, nullptr, file) == "");
      REQUIRE(rest.module.steps.size() == 17);
      CHECK(rest.module.steps[0] == "e0b7");
      CHECK(rest.module.steps[5] == "e1b0");
      CHECK(rest.global_step == 24);
      CHECK(rest.epoch == 2);
      CHECK(at::equal(rest.module.weight, whole.module.weight));
    }
  }
}

TEST_CASE("the mean of an epoch that was ended within counts all of its batches after the resume") {
  const TempDir directory;
  const auto train = [&](int64_t max_steps, const std::string& checkpoint,
                         const std::string& place) {
    TracedSetup setup{.options = quiet(1), .batches = 6};
    setup.options.max_steps = max_steps;
    auto rows = std::make_shared<RowLogger>();
    setup.options.loggers = {rows};
    auto saver = actor_at(
        place, 1, [&](Trainer& trainer) { trainer.save_checkpoint(directory / "ended.ckpt"); });
    TracedRun run;
    CHECK(run.fit(setup, saver, checkpoint) == "");
    return rows->values("train_loss_epoch").back();
  };
  const double whole = train(-1, "", "");
  for (const std::string place : {"on_train_epoch_end", "on_train_end"}) {
    train(4, "", place);
    CHECK(train(-1, (directory / "ended.ckpt").string(), "") == whole);
  }
}

TEST_CASE("in the rest of a cut epoch monitors see what they would have seen without the cut") {
  const TempDir directory;
  const auto file = directory / "ended.ckpt";
  const TracedSetup setup{.options = quiet(3), .batches = 6};
  using Notes = std::vector<std::string>;
  // What is visible at the start of each batch. Ends the run in the tenth, within the second epoch.
  const auto train = [&](const std::string& by, const std::string& place, const fs::path& from) {
    Notes notes;
    int batches = 0;
    auto actor = actor_at("", 0, {});
    actor->set_name(by);  // a stop that the resumed run doesn't have
    actor->script = [&](const std::string& now, Trainer& trainer) {
      if (now == "on_train_batch_start") {
        std::string note = fmt::format("step {}", trainer.global_step());
        for (const std::string& name : trainer.callback_metrics().names()) {
          note += fmt::format(" {}={}", name, trainer.callback_metrics().at(name));
        }
        notes.push_back(note);
        if (++batches == 10 && by == "request_stop") trainer.request_stop("enough");
      }
      if (now == place) trainer.save_checkpoint(file);
    };
    TracedSetup limited = setup;
    if (by == "max_steps") limited.options.max_steps = 10;
    TracedRun run;
    CHECK(run.fit(limited, actor, from) == "");
    return notes;
  };
  const Notes whole = train("", "", {});
  for (const std::string by : {"max_steps", "request_stop"}) {
    for (const std::string place : {"on_validation_end", "on_train_epoch_end", "on_train_end"}) {
      if (by == "max_steps" && place == "on_validation_end") continue;  // there is none
      INFO(by << ", saved in " << place);
      train(by, place, {});
      CHECK(train("", "", file) == Notes(whole.begin() + 10, whole.end()));
    }
  }
}

// Validated every three batches, over epochs of four.
TEST_CASE(
    "a scheduler doesn't step on the metric of a validation that comes only because of a stop") {
  class Scheduled final : public ToyModule {
   public:
    explicit Scheduled(Interval interval) : interval_(interval) {}
    OptimizerConfig configure_optimizers() override {
      const auto optimizer =
          std::make_shared<SGD>(std::vector<at::Tensor>{weight, bias}, SGDOptions{.lr = 0.05});
      OptimizerConfig config(optimizer);
      SchedulerConfig scheduler;
      scheduler.scheduler = std::make_shared<ReduceLROnPlateau>(optimizer);
      scheduler.interval = interval_;
      scheduler.monitor = "val_loss";
      scheduler.strict = false;
      config.schedulers = {scheduler};
      return config;
    }
    void lr_scheduler_step(LRScheduler& scheduler, std::optional<double> metric) override {
      seen.push_back(metric.value_or(-1));
      ToyModule::lr_scheduler_step(scheduler, metric);
    }
    std::vector<double> seen;

   private:
    Interval interval_;
  };
  const TempDir directory;
  const auto file = directory / "stopped.ckpt";
  for (const Interval interval : {Interval::epoch, Interval::step}) {
    const auto train = [&](int stop_at, const std::string& place, const fs::path& from) {
      int batches = 0;
      auto actor = actor_at("", 0, {});
      actor->set_name(stop_at > 0 ? "stopper" : "");
      actor->script = [&](const std::string& now, Trainer& trainer) {
        if (now == "on_train_batch_end" && ++batches == stop_at) trainer.request_stop("enough");
        if (now == place) trainer.save_checkpoint(file);
      };
      TrainerOptions options = quiet(4);
      options.check_val_every_n_epoch.reset();
      options.val_check_interval = int64_t{3};
      Scheduled module(interval);
      Trainer trainer(options, {actor});
      trainer.fit(module, toy_data(4, 1), {.ckpt_path = from.string()});
      return module.seen;
    };
    const std::vector<double> whole = train(0, "", {});
    REQUIRE(whole.size() > 3);
    for (const int stop_at : {7, 8}) {  // within an epoch, and at its end
      for (const std::string place : {"on_validation_end", "on_train_epoch_end", "on_train_end"}) {
        INFO("per " << (interval == Interval::epoch ? "epoch" : "step") << ", stopped after "
                    << stop_at << ", saved in " << place);
        std::vector<double> seen = train(stop_at, place, {});
        if (place != "on_train_end" && interval == Interval::epoch && stop_at == 8) {
          seen.pop_back();  // is done again
        }
        const std::vector<double> rest = train(0, "", file);
        seen.insert(seen.end(), rest.begin(), rest.end());
        CHECK(seen == whole);
      }
    }
  }
}

TEST_CASE("a run that a limit has ended has nothing to do when it is resumed with the same limit") {
  const TempDir directory;
  for (const int64_t max_steps : {7, 12, 24}) {
    for (const std::string place :
         {"on_train_batch_end", "on_validation_end", "on_train_epoch_end", "on_train_end"}) {
      INFO(max_steps << " steps, saved in " << place);
      const auto file = directory / fmt::format("{}-{}.ckpt", max_steps, place);
      TracedSetup setup;
      setup.options.max_epochs = 4;
      setup.options.max_steps = max_steps;
      auto saver = actor_at("", 0, {});
      saver->script = [&](const std::string& now, Trainer& trainer) {
        if (now == place && trainer.global_step() == max_steps) trainer.save_checkpoint(file);
      };
      TracedRun whole;
      CHECK(whole.fit(setup, saver) == "");
      if (!std::filesystem::exists(file)) continue;  // no validation in a cut epoch
      TracedRun resumed;
      CHECK(resumed.fit(setup, nullptr, file) == "");
      CHECK(resumed.module.steps.empty());
      CHECK(resumed.global_step == max_steps);
      CHECK(resumed.epoch == whole.epoch);
      CHECK(resumed.before->calls == whole.before->calls);
      CHECK(resumed.behind->calls == whole.behind->calls);
      CHECK(at::equal(resumed.module.weight, whole.module.weight));
    }
  }
}

TEST_CASE("a stop that is not carried out yet is part of the checkpoint") {
  const TempDir directory;
  const auto file = directory / "stopping.ckpt";
  // Requested in the validation, and deferred by min_epochs.
  for (const int64_t min_epochs : {0, 2}) {
    INFO("min_epochs " << min_epochs);
    TracedSetup setup{.options = quiet(5), .batches = 4};
    if (min_epochs > 0) setup.options.min_epochs = min_epochs;
    const auto stopper = [] {
      return actor_at("on_validation_epoch_end", 1,
                      [](Trainer& trainer) { trainer.request_stop("good enough"); });
    };
    TracedRun whole;
    whole.fit(setup, stopper());
    CHECK(whole.epoch == std::max<int64_t>(1, min_epochs));
    auto saver = stopper();
    saver->script = [&, script = saver->script](const std::string& now, Trainer& trainer) {
      script(now, trainer);
      if (now != "on_validation_end") return;
      trainer.save_checkpoint(file);
      throw std::runtime_error("killed");
    };
    TracedRun stopped;
    stopped.fit(setup, saver);
    TracedRun resumed;
    const CapturedLog log;
    resumed.fit(setup, actor_at("", 0, {}), file);
    CHECK(resumed.global_step == whole.global_step);
    CHECK(resumed.epoch == whole.epoch);
    CHECK_THAT(log.text(), Contains("good enough"));
  }
}

TEST_CASE("a stop that min_epochs puts off is kept when a limit ends the run before") {
  const TempDir directory;
  const auto file = directory / "ended.ckpt";
  const auto stopper = [] {
    return actor_at("on_train_batch_end", 1,
                    [](Trainer& trainer) { trainer.request_stop("good enough"); });
  };
  struct Case {
    int64_t min_epochs;
    int64_t max_steps;  // of 4 an epoch
  };
  for (const Case& each : {Case{1, 3}, Case{2, 3}, Case{2, 4}, Case{2, 7}}) {
    TracedSetup setup{.options = quiet(5), .batches = 4};
    setup.options.min_epochs = each.min_epochs;
    TracedRun whole;
    whole.fit(setup, stopper());
    REQUIRE(whole.epoch == each.min_epochs);
    for (const std::string place : {"on_train_epoch_end", "on_train_end"}) {
      INFO("min_epochs " << each.min_epochs << ", saved after step " << each.max_steps << " "
                         << place);
      auto saver = stopper();
      saver->script = [&, script = saver->script](const std::string& now, Trainer& trainer) {
        script(now, trainer);
        if (now == place) trainer.save_checkpoint(file);
      };
      TracedSetup limited = setup;
      limited.options.max_steps = each.max_steps;
      TracedRun first;
      CHECK(first.fit(limited, saver) == "");
      CHECK(first.global_step == each.max_steps);
      TracedRun resumed;
      CHECK(resumed.fit(setup, actor_at("", 0, {}), file) == "");
      CHECK(resumed.global_step == whole.global_step);
      CHECK(resumed.epoch == whole.epoch);
    }
  }
}

}  // namespace cut_epoch_test
