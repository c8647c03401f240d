// However a run ends: what still fires, and that nothing stays changed.
#include <csignal>
#include <map>

#include "../support/recorder.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/lr_schedulers/reduce_lr_on_plateau.h"
#include "temp_dir.h"
#include "toy.h"

namespace ways_to_end_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

int count(const Trace& trace, const std::string& name) {
  return static_cast<int>(std::count(trace.begin(), trace.end(), name));
}

using Outcomes = std::vector<Outcome>;

// Notes the outcome that on_run_end tells.
class OutcomeWatch : public Callback {
 public:
  void on_run_end(RunEnd& event) override {
    outcomes.push_back(event.outcome);
    reason = event.reason;
  }
  Outcomes outcomes;
  std::string reason;
};

}  // namespace

TEST_CASE("a run that ends as planned reports the outcome finished, once") {
  Trace trace;
  auto watch = std::make_shared<OutcomeWatch>();
  ToyModule module;
  Trainer trainer(quiet(2), {std::make_shared<Recorder>(trace), watch});
  trainer.fit(module, toy_data());
  CHECK((watch->outcomes == Outcomes{Outcome::finished}));
  CHECK(count(trace, "cb.on_exception") == 0);
  CHECK(trace.back() == "cb.on_run_end");
  CHECK((trainer.state().status == Status::finished));
}

TEST_CASE("a stop request ends the run after the batch, with its reason and author") {
  Trace trace;
  auto recorder = std::make_shared<Recorder>(trace);
  recorder->script = [](const std::string& hook, Trainer& trainer) {
    if (hook == "on_train_batch_end" && trainer.global_step() == 2) trainer.request_stop("enough");
  };
  auto watch = std::make_shared<OutcomeWatch>();
  ToyModule module;
  Trainer trainer(quiet(5), {recorder, watch});
  trainer.fit(module, toy_data());
  CHECK(trainer.global_step() == 2);
  CHECK((watch->outcomes == Outcomes{Outcome::stopped}));
  CHECK(watch->reason == "enough");
  REQUIRE(trainer.granted_requests().size() == 1);
  CHECK(trainer.granted_requests()[0].author == "Recorder");
  CHECK(trainer.granted_requests()[0].global_step == 2);
  CHECK(count(trace, "cb.on_train_end") == 1);
  CHECK(count(trace, "cb.on_fit_end") == 1);
  CHECK(count(trace, "cb.teardown") == 1);
}

TEST_CASE("an exception in any hook reaches on_exception and on_run_end of every callback") {
  // Every hook that fires in this run before its end, in turn.
  Trace all;
  {
    ToyModule module;
    Trainer trainer(quiet(1), {std::make_shared<Recorder>(all)});
    trainer.fit(module, toy_data());
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  for (const std::string& where : all) {
    const std::string hook = where.substr(3);
    if (hook == "on_run_end" || hook == "on_init_start" || hook == "on_init_end") continue;
    INFO("thrown in " << hook);
    Trace trace;
    auto thrower = std::make_shared<Recorder>(trace, "a");
    thrower->script = [&](const std::string& now, Trainer&) {
      if (now == hook) throw std::runtime_error("from " + hook);
    };
    auto watch = std::make_shared<OutcomeWatch>();
    ToyModule module;
    Trainer trainer(quiet(1), {thrower, std::make_shared<Recorder>(trace, "b"), watch});
    CHECK_THROWS_WITH(trainer.fit(module, toy_data()), "from " + hook);
    CHECK(count(trace, "a.on_exception") == 1);
    CHECK(count(trace, "b.on_exception") == 1);
    CHECK(count(trace, "b.on_run_end") == 1);
    CHECK((watch->outcomes == Outcomes{Outcome::failed}));
    CHECK((trainer.state().status == Status::interrupted));
    // The same trainer can run again.
    thrower->script = {};
    trainer.fit(module, toy_data());
    CHECK((watch->outcomes.back() == Outcome::finished));
  }
}

TEST_CASE(
    "a callback that throws in on_exception doesn't hide the first error nor silence the others") {
  Trace trace;
  auto a = std::make_shared<Recorder>(trace, "a");
  a->script = [](const std::string& hook, Trainer&) {
    if (hook == "on_train_start") throw std::runtime_error("first");
    if (hook == "on_exception") throw std::runtime_error("second");
  };
  ToyModule module;
  Trainer trainer(quiet(1), {a, std::make_shared<Recorder>(trace, "b")});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data()), "first");
  CHECK(count(trace, "b.on_exception") == 1);
}

TEST_CASE("a signal ends the run at the next batch, with on_signal before on_exception") {
  Trace trace;
  auto recorder = std::make_shared<Recorder>(trace);
  recorder->script = [](const std::string& hook, Trainer& trainer) {
    if (hook == "on_train_batch_start" && trainer.global_step() == 1) trainer.interrupt(SIGTERM);
  };
  auto watch = std::make_shared<OutcomeWatch>();
  ToyModule module;
  Trainer trainer(quiet(5), {recorder, watch});
  try {
    trainer.fit(module, toy_data());
    FAIL("the signal was not noticed");
  } catch (const Interrupted& error) {
    CHECK(error.signal_number == SIGTERM);
  }
  CHECK(trainer.global_step() == 2);
  CHECK((watch->outcomes == Outcomes{Outcome::interrupted}));
  const auto at = [&](const std::string& name) {
    return std::find(trace.begin(), trace.end(), name);
  };
  CHECK(at("cb.on_signal") < at("cb.on_exception"));
  CHECK(at("cb.on_exception") < at("cb.on_run_end"));
}

TEST_CASE("leased weights are restored, last first, before on_exception") {
  Trace trace;
  ToyModule module;
  const at::Tensor before = module.weight.detach().clone();
  auto recorder = std::make_shared<Recorder>(trace);
  Lease outer;
  Lease inner;
  at::Tensor seen;
  recorder->script = [&](const std::string& hook, Trainer& trainer) {
    if (hook == "on_train_start") {
      outer = trainer.lease_weights({{"weight", at::ones({3, 1})}}, "a trial");
      inner = trainer.lease("a second change", [&] { seen = module.weight.detach().clone(); });
      throw std::runtime_error("while leased");
    }
    if (hook == "on_exception") CHECK(at::equal(module.weight, before));
  };
  Trainer trainer(quiet(1), {recorder});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data()), "while leased");
  CHECK(at::equal(module.weight, before));
  CHECK(at::equal(seen, at::ones({3, 1})));  // the second was undone while the first still held
  CHECK_FALSE(outer.active());
  CHECK_FALSE(inner.active());
}

TEST_CASE("in a run that ends well every _start hook has its _end") {
  Trace trace;
  ToyModule module;
  TrainerOptions options = quiet(2);
  options.num_sanity_val_steps = 1;
  Trainer trainer(options, {std::make_shared<Recorder>(trace)});
  trainer.fit(module, toy_data());
  for (std::string_view hook : kHookNames) {
    const size_t cut = hook.rfind("_start");
    if (cut == std::string_view::npos) continue;
    const std::string stem = "cb." + std::string(hook.substr(0, cut));
    INFO(stem);
    CHECK(count(trace, stem + "_start") == count(trace, stem + "_end"));
  }
}

TEST_CASE(
    "a logger that fails at an epoch's end leaves counters and schedulers one epoch further") {
  class Failing final : public Logger {
   public:
    std::string name() const override { return "failing"; }
    std::string version() const override { return "0"; }
    void log_metrics(const Metrics& metrics, int64_t step) override {
      for (const auto& [metric, value] : metrics) {
        if (metric != "train_loss_epoch") continue;
        steps.push_back(step);
        if (fails) throw std::runtime_error("disk full");
      }
    }
    bool fails = true;
    std::vector<int64_t> steps;
  };
  class Net final : public ToyModule {
   public:
    OptimizerConfig configure_optimizers() override {
      OptimizerConfig config = ToyModule::configure_optimizers();
      plateau = std::make_shared<ReduceLROnPlateau>(
          config.optimizers[0], ReduceLROnPlateauOptions{.factor = 0.5, .patience = 0});
      config.schedulers.push_back({.scheduler = plateau, .monitor = "constant"});
      return config;
    }
    void on_train_epoch_end(Event&) override { log("constant", 1.0); }
    std::shared_ptr<ReduceLROnPlateau> plateau;
  };
  const TempDir directory;
  const std::string file = (directory / "a.ckpt").string();
  auto logger = std::make_shared<Failing>();
  TrainerOptions options = quiet(2);
  options.loggers = {logger};
  Net module;
  Trainer trainer(options);
  CHECK_THROWS_WITH(trainer.fit(module, toy_data()), "disk full");
  CHECK(trainer.state().batches_that_stepped == 3);
  CHECK(trainer.state().epoch.total.completed == 1);
  trainer.save_checkpoint(file);

  logger->fails = false;
  Net again;
  Trainer resumed(options);
  resumed.fit(again, toy_data(), {.ckpt_path = file});
  CHECK(resumed.global_step() == 6);
  CHECK(resumed.optimizers()[0]->groups()[0].options.at("lr") ==
        Approx(0.025));  // one step that is bad
  CHECK((logger->steps == std::vector<int64_t>{2, 5}));
}

}  // namespace ways_to_end_test
