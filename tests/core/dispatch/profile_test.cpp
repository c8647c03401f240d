// What a run spent its time on: counts that are right, times that add up, a trace that can be read.
#include "grapnel/profile.h"

#include <algorithm>

#include "../support/recorder.h"
#include "captured_log.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "grapnel/base/json.h"
#include "grapnel/base/log.h"
#include "temp_dir.h"
#include "toy.h"

namespace profile_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// Takes a second of the test's own clock in each batch.
class Slow : public Callback {
 public:
  explicit Slow(ManualClock& clock) : clock_(clock) {}
  void on_train_batch_end(TrainBatchEnd&) override { clock_.advance(1); }

 private:
  ManualClock& clock_;
};

// A step of 2 s, in which a hook of another callback is called.
class SlowModule : public ToyModule {
 public:
  explicit SlowModule(ManualClock& clock) : clock_(clock) {}
  StepOutput training_step(Batch& batch, int64_t batch_idx) override {
    clock_.advance(2);
    return ToyModule::training_step(batch, batch_idx);
  }

 private:
  ManualClock& clock_;
};

const ProfileRow& row(const Profile& profile, const std::string& who, const std::string& action) {
  const auto found =
      std::find_if(profile.rows.begin(), profile.rows.end(), [&](const ProfileRow& candidate) {
        return candidate.who == who && candidate.action == action;
      });
  if (found == profile.rows.end()) throw std::runtime_error("no row " + who + "." + action);
  return *found;
}

struct Profiled {
  explicit Profiled(ProfilerKind kind, int64_t batches = 3) {
    TrainerOptions options = quiet(2);
    options.clock = &clock;
    options.profiler = kind;
    options.default_root_dir = directory.path();
    trainer = std::make_unique<Trainer>(
        options,
        std::vector<CallbackHandle>{std::make_shared<Slow>(clock), std::make_shared<Slow>(clock)});
    const CapturedLog log;
    SlowModule module(clock);
    trainer->fit(module, toy_data(batches));
    profile = trainer->profile();
    logged = log.text();
  }

  TempDir directory;
  ManualClock clock;
  std::string logged;
  std::unique_ptr<Trainer> trainer;
  Profile profile;
};

}  // namespace

TEST_CASE("the profile times every call and step, and their own times add up to the run") {
  const Profiled run(ProfilerKind::simple);
  const Profile& profile = run.profile;
  CHECK_FALSE(profile.sampled);
  CHECK(row(profile, "Slow", "on_train_batch_end").calls == 6);
  CHECK(row(profile, "Slow", "on_train_batch_end").seconds == Approx(6));
  CHECK(row(profile, "Slow #2", "on_train_batch_end").calls == 6);
  CHECK(row(profile, "module", "training_step").calls == 6);
  CHECK(row(profile, "module", "training_step").own_seconds == Approx(12));
  // The step is called within optimizer_step, which takes no time of its own.
  CHECK(row(profile, "module", "optimizer_step").seconds == Approx(12));
  CHECK(row(profile, "module", "optimizer_step").own_seconds == Approx(0).margin(1e-9));
  CHECK(row(profile, "data", "next train batch").calls >= 6);
  CHECK(row(profile, "module", "validation_step").calls == 4);
  CHECK(profile.run_seconds == Approx(24));
  double own = 0;
  for (const ProfileRow& each : profile.rows) own += each.own_seconds;
  CHECK(own == Approx(24));
  CHECK(profile.rows.front().action == "training_step");
}

TEST_CASE("the profile's table is logged when the run ends, with calls, mean, total and share") {
  const Profiled run(ProfilerKind::simple);
  CHECK_THAT(run.logged, Catch::Contains("module.training_step") && Catch::Contains("50.0 %") &&
                             Catch::Contains("2.000 s") && Catch::Contains("12.000 s"));
  CHECK(run.profile.table().find("Slow #2.on_train_batch_end") != std::string::npos);
}

TEST_CASE("without a profiler hook calls are counted and their time is estimated") {
  const Profiled run(ProfilerKind::none, 300);
  CHECK(run.profile.sampled);
  const ProfileRow& slow = row(run.profile, "Slow", "on_train_batch_end");
  CHECK(slow.calls == 600);
  CHECK(slow.seconds == Approx(600));
  CHECK(run.profile.rows.size() == 2);
  CHECK(run.logged.find("training_step") == std::string::npos);
}

TEST_CASE("profiler=advanced writes each call as a trace event, nested in its callers") {
  const Profiled run(ProfilerKind::advanced);
  const auto file = run.directory.path() / "profile-fit.json";
  const ConfigValue trace = parse_json(read_file(file, 1 << 20), "trace");
  const auto& events = trace.at("traceEvents").as_array();
  const auto named = [&](const std::string& name) {
    std::vector<std::pair<double, double>> spans;  // begin, end
    for (const ConfigValue& event : events) {
      CHECK(event.at("ph").as_string() == "X");
      if (event.at("name").as_string() != name) continue;
      const double begin = event.at("ts").as_double();
      spans.emplace_back(begin, begin + event.at("dur").as_double());
    }
    return spans;
  };
  const auto outer = named("module.optimizer_step");
  const auto inner = named("module.training_step");
  REQUIRE(outer.size() == 6);
  REQUIRE(inner.size() == 6);
  for (size_t i = 0; i < inner.size(); ++i) {
    CHECK(inner[i].second - inner[i].first == Approx(2e6));
    CHECK(outer[i].first <= inner[i].first);
    CHECK(inner[i].second <= outer[i].second);
  }
  CHECK_THAT(run.logged, Catch::Contains(file.string()));
}

TEST_CASE("a failed run has a profile, and the next run starts a new one") {
  class Fails : public ToyModule {
   public:
    StepOutput training_step(Batch& batch, int64_t batch_idx) override {
      if (batch_idx == 1 && fail) throw std::runtime_error("no");
      return ToyModule::training_step(batch, batch_idx);
    }
    bool fail = true;
  };
  TrainerOptions options = quiet(1);
  options.profiler = ProfilerKind::simple;
  Trainer trainer(options);
  const CapturedLog log;
  Fails module;
  CHECK_THROWS_WITH(trainer.fit(module, toy_data()), "no");
  CHECK(row(trainer.profile(), "module", "training_step").calls == 2);
  CHECK_THAT(log.text(), Catch::Contains("module.training_step"));
  module.fail = false;
  trainer.validate(module, toy_data());
  CHECK_THROWS(row(trainer.profile(), "module", "training_step"));
}

TEST_CASE("barebones with a profiler is refused") {
  TrainerOptions options;
  options.barebones = true;
  options.profiler = ProfilerKind::simple;
  CHECK_THROWS_WITH(Trainer(options), Catch::Contains("profiler=simple"));
}

TEST_CASE(
    "barebones refuses log_every_n_steps and num_sanity_val_steps, also with their defaults") {
  TrainerOptions options;
  options.barebones = true;
  CHECK_NOTHROW(Trainer(options));
  options.log_every_n_steps = 5;
  CHECK_THROWS_WITH(Trainer(options), Catch::Contains("log_every_n_steps=5"));
  const auto read = [](const char* text) {
    return trainer_options(
        trainer_options_table().parameters().validate(parse_json(text, "run.json"), "trainer"));
  };
  CHECK_NOTHROW(read(R"({"barebones": true, "num_sanity_val_steps": 0})"));
  CHECK_THROWS_WITH(read(R"({"barebones": true, "num_sanity_val_steps": 2})"),
                    Catch::Contains("num_sanity_val_steps=2"));
}

TEST_CASE("all functions of a data module are rows of the data") {
  class Stateful : public DataModule {
   public:
    std::shared_ptr<DataLoader> train_dataloader() override {
      return std::make_shared<ToyLoader>(2);
    }
    StateDict state_dict() const override { return {{"seen", int64_t{1}}}; }
    void load_state_dict(const StateDict&) override {}
    void teardown(RunKind) override {}
  };
  TempDir directory;
  ToyModule module;
  Stateful data;
  TrainerOptions options = quiet(1);
  options.profiler = ProfilerKind::simple;
  Trainer first(options);
  first.fit(module, data);
  first.save_checkpoint(directory.path() / "one.ckpt");
  CHECK(row(first.profile(), "data", "teardown").calls == 1);
  CHECK(row(first.profile(), "data", "state_dict").calls == 1);

  options.max_epochs = 2;
  Trainer second(options);
  second.fit(module, data, {.ckpt_path = (directory.path() / "one.ckpt").string()});
  CHECK(row(second.profile(), "data", "load_state_dict").calls == 1);
  for (const ProfileRow& each : second.profile().rows) {
    INFO(each.who << "." << each.action);
    CHECK_FALSE((each.who == "module" && each.action == "load_state_dict"));
  }
}

}  // namespace profile_test
