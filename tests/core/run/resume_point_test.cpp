// A resumed run does what was left, once: whatever hook the checkpoint was written in, and however the
// run before it ended.
#include <fmt/format.h>

#include "../support/recorder.h"
#include "captured_log.h"
#include "catch.h"
#include "grapnel/base/clock.h"
#include "grapnel/base/error.h"
#include "grapnel/checkpoint.h"
#include "grapnel/lr_schedulers.h"
#include "row_logger.h"
#include "temp_dir.h"
#include "toy.h"

namespace resume_point_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

// "e0b2", for every batch that a training step is made on.
class TracedModule : public ToyModule {
 public:
  StepOutput training_step(Batch& batch, int64_t batch_idx) override {
    steps.push_back(fmt::format("e{}b{}", trainer().current_epoch(), batch_idx));
    return ToyModule::training_step(batch, batch_idx);
  }
  void on_train_batch_end(TrainBatchEnd& event) override {
    batch_ends.push_back(event.batch_idx);
    seen_losses.push_back(event.outputs.loss_value().value_or(-1));
    seen_samples.push_back(event.batch.empty() ? -1 : event.batch.sample_indices.at(0));
    if (at_batch_end) at_batch_end(event);
  }

  std::vector<std::string> steps;
  std::vector<int64_t> batch_ends;
  std::vector<double> seen_losses;
  std::vector<int64_t> seen_samples;
  std::function<void(TrainBatchEnd&)> at_batch_end;
};

// Its state is how often it was called.
class Counter final : public Callback {
 public:
  explicit Counter(std::string name) { set_name(std::move(name)); }
  void on_train_epoch_start(Event&) override { ++calls["epoch_start"]; }
  void on_train_batch_end(TrainBatchEnd&) override { ++calls["batch_end"]; }
  void on_after_optimizer_step(OptimizerEvent&) override { ++calls["after_step"]; }
  void on_validation_end(Event&) override { ++calls["validation_end"]; }
  void on_train_epoch_end(Event&) override { ++calls["epoch_end"]; }
  StateDict state_dict() const override {
    StateDict state;
    for (const auto& [hook, count] : calls) state[hook] = count;
    return state;
  }
  void load_state_dict(const StateDict& state) override {
    calls.clear();
    for (const auto& [hook, count] : state) calls[hook] = count.to_int();
  }
  std::map<std::string, int64_t> calls;
};

// Does something at the n-th call of a hook, from 1.
std::shared_ptr<Recorder> at(const std::string& hook, int call,
                             std::function<void(Trainer&)> action) {
  static Trace unused;
  auto recorder = std::make_shared<Recorder>(unused);
  recorder->set_name("actor");
  recorder->script = [=, calls = 0](const std::string& now, Trainer& trainer) mutable {
    if (now == hook && !trainer.sanity_checking() && ++calls == call) action(trainer);
  };
  return recorder;
}

struct Setup {
  TrainerOptions options = quiet(2);
  int64_t batches = 12;
};

struct Run {
  TracedModule module;
  std::shared_ptr<Counter> before = std::make_shared<Counter>("before");
  std::shared_ptr<Counter> behind = std::make_shared<Counter>("behind");

  // actor: stands between the two counters.
  std::string fit(const Setup& setup, const std::shared_ptr<Recorder>& actor,
                  const std::filesystem::path& checkpoint = {}) {
    std::vector<CallbackHandle> callbacks{before};
    if (actor) callbacks.emplace_back(actor);
    callbacks.emplace_back(behind);
    at::manual_seed(checkpoint.empty() ? 7 : 99);
    Trainer trainer(setup.options, callbacks);
    std::string error;
    try {
      trainer.fit(module, toy_data(setup.batches, 2), {.ckpt_path = checkpoint.string()});
    } catch (const std::exception& thrown) {
      error = thrown.what();
    }
    global_step = trainer.global_step();
    epoch = trainer.current_epoch();
    return error;
  }
  int64_t global_step = 0;
  int64_t epoch = 0;
};

void check_same(const Run& run, const Run& whole) {
  CHECK(run.before->calls == whole.before->calls);
  CHECK(run.behind->calls == whole.behind->calls);
  CHECK(run.global_step == whole.global_step);
  CHECK(run.epoch == whole.epoch);
  CHECK(at::equal(run.module.weight, whole.module.weight));
}

}  // namespace

TEST_CASE("a callback behind the one that fails has the call after the resume") {
  const TempDir directory;
  const auto file = directory / "failed.ckpt";
  const Setup setup{.batches = 3};
  Run whole;
  CHECK(whole.fit(setup, nullptr) == "");
  for (const std::string hook : {"on_train_epoch_start", "on_after_optimizer_step",
                                 "on_train_batch_end", "on_validation_end", "on_train_epoch_end"}) {
    INFO(hook);
    const auto failing = at(hook, 2, [&](Trainer&) { throw std::runtime_error("failed"); });
    const auto script = failing->script;
    failing->script = [&](const std::string& now, Trainer& trainer) {
      if (now == "on_exception") trainer.save_checkpoint(file);
      script(now, trainer);
    };
    Run stopped;
    CHECK(stopped.fit(setup, failing) == "failed");
    Run resumed;
    CHECK(resumed.fit(setup, at("", 0, {}), file) == "");
    check_same(resumed, whole);
  }
}

TEST_CASE("callbacks behind the one that saves have the call after the resume") {
  const TempDir directory;
  const auto file = directory / "saved.ckpt";
  const Setup setup{.batches = 3};
  Run whole;
  CHECK(whole.fit(setup, nullptr) == "");
  for (const std::string hook :
       {"on_train_epoch_start", "on_train_batch_end", "on_validation_end", "on_train_epoch_end"}) {
    INFO(hook);
    Run stopped;
    stopped.fit(setup, at(hook, 2, [&](Trainer& trainer) {
                  trainer.save_checkpoint(file);
                  throw std::runtime_error("killed");
                }));
    Run resumed;
    CHECK(resumed.fit(setup, at("", 0, {}), file) == "");
    check_same(resumed, whole);
  }
}

TEST_CASE("the module's on_train_batch_end comes after a checkpoint that a callback wrote in it") {
  const TempDir directory;
  const auto file = directory / "saved.ckpt";
  const Setup setup{.options = quiet(1), .batches = 4};
  Run whole;
  whole.fit(setup, nullptr);
  Run stopped;
  stopped.fit(setup, at("on_train_batch_end", 2, [&](Trainer& trainer) {
                trainer.save_checkpoint(file);
                throw std::runtime_error("killed");
              }));
  Run resumed;
  CHECK(resumed.fit(setup, nullptr, file) == "");
  CHECK(resumed.module.batch_ends == std::vector<int64_t>{1, 2, 3});
  CHECK(resumed.module.seen_samples == std::vector<int64_t>{2, 4, 6});
  CHECK(resumed.module.seen_losses ==
        std::vector<double>(whole.module.seen_losses.begin() + 1, whole.module.seen_losses.end()));
}

TEST_CASE("an optimizer step after which a callback failed is not made again") {
  const TempDir directory;
  const auto file = directory / "failed.ckpt";
  const Setup setup{.options = quiet(1), .batches = 4};
  Run stopped;
  auto failing = at("on_after_optimizer_step", 2, [](Trainer&) { throw std::runtime_error("x"); });
  failing->script = [&, script = failing->script](const std::string& now, Trainer& trainer) {
    if (now == "on_exception") trainer.save_checkpoint(file);
    script(now, trainer);
  };
  stopped.fit(setup, failing);
  Run resumed;
  CHECK(resumed.fit(setup, nullptr, file) == "");
  CHECK(resumed.module.steps == std::vector<std::string>{"e0b2", "e0b3"});
  CHECK(resumed.module.batch_ends == std::vector<int64_t>{1, 2, 3});
  CHECK(resumed.global_step == 4);
}

// ---- Runs that a limit or a request ended within an epoch

TEST_CASE("a run that was ended within an epoch continues with the rest of it") {
  const TempDir directory;
  const Setup setup;
  Run whole;
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
      Setup limited = setup;
      if (end.set) end.set(limited.options);
      int batches = 0;
      auto actor = at("", 0, {});
      actor->script = [&](const std::string& now, Trainer& trainer) {
        if (now == "on_train_batch_start") clock.advance(1);
        if (now == "on_train_batch_start" && ++batches == 7 && end.action) end.action(trainer);
        if (now == place) trainer.save_checkpoint(file);
        if (now == "teardown" && place == "afterwards") trainer.save_checkpoint(file);
      };
      Run first;
      CHECK(first.fit(limited, actor) == "");
      CHECK(first.global_step == 7);
      Run rest;
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
    Setup setup{.options = quiet(1), .batches = 6};
    setup.options.max_steps = max_steps;
    auto rows = std::make_shared<RowLogger>();
    setup.options.loggers = {rows};
    auto saver =
        at(place, 1, [&](Trainer& trainer) { trainer.save_checkpoint(directory / "ended.ckpt"); });
    Run run;
    CHECK(run.fit(setup, saver, checkpoint) == "");
    return rows->values("train_loss_epoch").back();
  };
  const double whole = train(-1, "", "");
  for (const std::string place : {"on_train_epoch_end", "on_train_end"}) {
    train(4, "", place);
    CHECK(train(-1, (directory / "ended.ckpt").string(), "") == whole);
  }
}

TEST_CASE("a run that a limit has ended has nothing to do when it is resumed with the same limit") {
  const TempDir directory;
  for (const int64_t max_steps : {7, 12, 24}) {
    for (const std::string place :
         {"on_train_batch_end", "on_validation_end", "on_train_epoch_end", "on_train_end"}) {
      INFO(max_steps << " steps, saved in " << place);
      const auto file = directory / fmt::format("{}-{}.ckpt", max_steps, place);
      Setup setup;
      setup.options.max_epochs = 4;
      setup.options.max_steps = max_steps;
      auto saver = at("", 0, {});
      saver->script = [&](const std::string& now, Trainer& trainer) {
        if (now == place && trainer.global_step() == max_steps) trainer.save_checkpoint(file);
      };
      Run whole;
      CHECK(whole.fit(setup, saver) == "");
      if (!std::filesystem::exists(file)) continue;  // no validation in a cut epoch
      Run resumed;
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

// ---- Interrupts, failures, stops

TEST_CASE("after a signal within an epoch the rest is logged at the same steps") {
  const TempDir directory;
  const auto file = directory / "interrupted.ckpt";
  using Rows = std::vector<std::string>;
  const auto train = [&](const std::string& checkpoint, int interrupt_at) {
    Setup setup{.options = quiet(2), .batches = 10};
    auto logger = std::make_shared<RowLogger>();
    setup.options.loggers = {logger};
    setup.options.log_every_n_steps = 3;
    auto actor =
        at("on_train_batch_end", interrupt_at, [](Trainer& trainer) { trainer.interrupt(15); });
    actor->script = [&, script = actor->script](const std::string& now, Trainer& trainer) {
      if (now == "on_exception") trainer.save_checkpoint(file);
      script(now, trainer);
    };
    Run run;
    run.fit(setup, actor, checkpoint);
    Rows rows;
    for (const auto& row : logger->rows) {
      rows.push_back(fmt::format("{} {} {:.9g}", row.step, row.name, row.value));
    }
    return rows;
  };
  const Rows whole = train("", 0);
  const Rows first = train("", 4);
  const Rows rest = train(file.string(), 0);
  Rows both = first;
  both.insert(both.end(), rest.begin(), rest.end());
  CHECK(both == whole);
}

TEST_CASE("a batch that failed and is done again counts once for validations over epochs") {
  const TempDir directory;
  const auto file = directory / "failed.ckpt";
  const auto validations = [&](const std::string& checkpoint, const std::string& hook) {
    Setup setup{.options = quiet(3), .batches = 10};
    setup.options.check_val_every_n_epoch = std::nullopt;
    setup.options.val_check_interval = 4;
    std::vector<std::string> places;
    int batches = 0;
    auto actor = at("", 0, {});
    actor->script = [&](const std::string& now, Trainer& trainer) {
      if (now == "on_validation_start") {
        places.push_back(
            fmt::format("{}/{}", trainer.current_epoch(), trainer.state().batch.current.ready));
      }
      if (now == "on_exception") trainer.save_checkpoint(file);
      if (now == hook && ++batches == 5) throw std::runtime_error("failed");
    };
    Run run;
    run.fit(setup, actor, checkpoint);
    return places;
  };
  const auto whole = validations("", "");
  CHECK(whole == std::vector<std::string>{"0/4", "0/8", "1/2", "1/6", "1/10", "2/4", "2/8"});
  for (const std::string hook : {"on_train_batch_start", "on_before_backward"}) {
    INFO(hook);
    auto both = validations("", hook);
    for (const std::string& place : validations(file.string(), "")) both.push_back(place);
    CHECK(both == whole);
  }
}

TEST_CASE("a second fit after a failed one validates as a first one does") {
  Setup setup{.options = quiet(3), .batches = 10};
  setup.options.check_val_every_n_epoch = std::nullopt;
  setup.options.val_check_interval = 4;
  std::vector<std::string> places;
  auto actor = at("on_train_batch_start", 6, [](Trainer&) { throw std::runtime_error("failed"); });
  actor->script = [&, script = actor->script](const std::string& now, Trainer& trainer) {
    if (now == "on_validation_start") {
      places.push_back(
          fmt::format("{}/{}", trainer.current_epoch(), trainer.state().batch.current.ready));
    }
    script(now, trainer);
  };
  TracedModule module;
  Trainer trainer(setup.options, {actor});
  CHECK_THROWS(trainer.fit(module, toy_data(10, 2)));
  places.clear();
  trainer.fit(module, toy_data(10, 2));
  CHECK(places == std::vector<std::string>{"0/4", "0/8", "1/2", "1/6", "1/10", "2/4", "2/8"});
}

TEST_CASE("a stop that is not carried out yet is part of the checkpoint") {
  const TempDir directory;
  const auto file = directory / "stopping.ckpt";
  // Requested in the validation, and deferred by min_epochs.
  for (const int64_t min_epochs : {0, 2}) {
    INFO("min_epochs " << min_epochs);
    Setup setup{.options = quiet(5), .batches = 4};
    if (min_epochs > 0) setup.options.min_epochs = min_epochs;
    const auto stopper = [] {
      return at("on_validation_epoch_end", 1,
                [](Trainer& trainer) { trainer.request_stop("good enough"); });
    };
    Run whole;
    whole.fit(setup, stopper());
    CHECK(whole.epoch == std::max<int64_t>(1, min_epochs));
    auto saver = stopper();
    saver->script = [&, script = saver->script](const std::string& now, Trainer& trainer) {
      script(now, trainer);
      if (now != "on_validation_end") return;
      trainer.save_checkpoint(file);
      throw std::runtime_error("killed");
    };
    Run stopped;
    stopped.fit(setup, saver);
    Run resumed;
    const CapturedLog log;
    resumed.fit(setup, at("", 0, {}), file);
    CHECK(resumed.global_step == whole.global_step);
    CHECK(resumed.epoch == whole.epoch);
    CHECK_THAT(log.text(), Contains("good enough"));
  }
}

TEST_CASE("the steps of a validation are logged further on after a resume") {
  struct Net : ToyModule {
    StepOutput validation_step(Batch& batch, int64_t, int64_t) override {
      log("val", loss_of(batch), {.on_step = true, .on_epoch = false});
      return {};
    }
  };
  const TempDir directory;
  const auto file = directory / "half.ckpt";
  const auto rows_of = [&](const std::string& hook, int call, const std::string& checkpoint) {
    auto rows = std::make_shared<RowLogger>("val");
    TrainerOptions options = quiet(4);
    options.loggers = {rows};
    options.log_every_n_steps = 1;
    Net module;
    Trainer trainer(options, {at(hook, call, [&](Trainer& running) {
                      running.save_checkpoint(file);
                      throw std::runtime_error("killed");
                    })});
    try {
      trainer.fit(module, toy_data(3, 2), {.ckpt_path = checkpoint});
    } catch (const std::runtime_error&) {
    }
    std::vector<int64_t> steps;
    for (const auto& row : rows->rows) steps.push_back(row.step);
    return steps;
  };
  const auto whole = rows_of("", 0, "");
  CHECK(whole == std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7});
  rows_of("on_train_epoch_end", 2, "");
  CHECK(rows_of("", 0, file.string()) == std::vector<int64_t>{4, 5, 6, 7});
  rows_of("on_validation_batch_end", 4, "");  // that validation is done again
  CHECK(rows_of("", 0, file.string()) == std::vector<int64_t>{2, 3, 4, 5, 6, 7});
}

TEST_CASE("requests that are not granted yet are part of the checkpoint") {
  const TempDir directory;
  const auto file = directory / "asked.ckpt";
  const Setup setup{.options = quiet(2), .batches = 6};
  Run stopped;
  stopped.fit(setup, at("on_train_batch_end", 2, [&](Trainer& trainer) {
                trainer.request(RequestKind::end_epoch, "bored");
                trainer.save_checkpoint(file);
                throw std::runtime_error("killed");
              }));
  Run resumed;
  CHECK(resumed.fit(setup, at("", 0, {}), file) == "");
  REQUIRE(!resumed.module.steps.empty());
  CHECK(resumed.module.steps[0] == "e1b0");
}

// ---- The file

namespace {

// A checkpoint written after the third batch, with its loop's state changed.
std::string error_of(const std::function<void(StateDict& fit_loop)>& change) {
  const TempDir directory;
  const auto file = directory / "changed.ckpt";
  const Setup setup{.options = quiet(2), .batches = 5};
  Run stopped;
  stopped.fit(setup, at("on_train_batch_end", 3, [&](Trainer& trainer) {
                StateDict checkpoint = trainer.dump_checkpoint();
                change(checkpoint.at("loops").to_dict().at("fit_loop").to_dict());
                save_checkpoint_file(file, checkpoint);
                throw std::runtime_error("killed");
              }));
  Run resumed;
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

}  // namespace resume_point_test
