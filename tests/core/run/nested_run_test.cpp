// Runs within hooks of other runs: refused in the same trainer, and in another one without a trace.
#include "../support/recorder.h"
#include "captured_log.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/fabric.h"
#include "grapnel/tuner.h"
#include "temp_dir.h"
#include "toy.h"

#include <ATen/Context.h>

namespace nested_run_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Contains;

namespace {

class ToyDataModule : public DataModule {
 public:
  std::shared_ptr<DataLoader> train_dataloader() override { return std::make_shared<ToyLoader>(3); }
  DataLoaders val_dataloaders() override { return {std::make_shared<ToyLoader>(2, 100)}; }
};

std::shared_ptr<Recorder> script(Trace& trace,
                                 std::function<void(const std::string&, Trainer&)> what) {
  auto recorder = std::make_shared<Recorder>(trace);
  recorder->script = std::move(what);
  return recorder;
}

std::shared_ptr<ToyLoader> validation() {
  return std::make_shared<ToyLoader>(2, 100);
}

// Hooks at which a run is as much under way as within a batch.
const std::vector<std::string>& hooks() {
  static const std::vector<std::string> names = {"setup",
                                                 "on_fit_start",
                                                 "on_sanity_check_start",
                                                 "on_train_start",
                                                 "on_train_batch_start",
                                                 "on_after_backward",
                                                 "on_train_batch_end",
                                                 "on_validation_end",
                                                 "on_train_epoch_end",
                                                 "on_train_end",
                                                 "on_fit_end",
                                                 "teardown",
                                                 "on_run_end"};
  return names;
}

}  // namespace

TEST_CASE("a trainer refuses to run anything within its own run, and the run goes on") {
  for (const std::string& where : hooks()) {
    for (const std::string kind : {"fit", "validate", "test", "predict"}) {
      INFO(kind << " in " << where);
      Trace trace;
      ToyModule module;
      std::string refused;
      auto recorder = script(trace, [&](const std::string& hook, Trainer& trainer) {
        if (hook != where || !refused.empty()) return;
        try {
          if (kind == "fit") trainer.fit(module, toy_data());
          if (kind == "validate") trainer.validate(module, validation());
          if (kind == "test") trainer.test(validation());
          if (kind == "predict") trainer.predict(module, validation());
          refused = "nothing";
        } catch (const ConfigError& error) {
          refused = error.what();
        }
      });
      TrainerOptions options = quiet(2);
      options.num_sanity_val_steps = 1;
      Trainer trainer(options, {recorder});
      trainer.fit(module, toy_data());
      CHECK_THAT(refused, Contains("this trainer is already running (fit)") &&
                              Contains("RequestKind::evaluate") && Contains("another Trainer"));
      CHECK(trainer.global_step() == 6);
    }
  }
}

TEST_CASE("a trainer can run again after a run within its run was refused, also in on_exception") {
  Trace trace;
  ToyModule module;
  std::string refused;
  bool broken = true;
  Trainer trainer(quiet(1), {script(trace, [&](const std::string& hook, Trainer& self) {
                    if (hook == "on_train_batch_end" && broken) throw std::runtime_error("broken");
                    if (hook != "on_exception") return;
                    try {
                      self.validate(module, validation());
                    } catch (const ConfigError& error) {
                      refused = error.what();
                    }
                  })});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data()), "broken");
  CHECK_THAT(refused, Contains("already running (fit)"));
  broken = false;
  trainer.fit(module, toy_data());
  CHECK(trainer.validate(module, validation()).size() == 1);
}

TEST_CASE("a Tuner refuses a trainer that is running, whose callbacks stay") {
  Trace trace;
  ToyModule module;
  int refused = 0;
  Trainer trainer(quiet(1), {script(trace, [&](const std::string& hook, Trainer& self) {
                    if (hook != "on_train_epoch_start") return;
                    Tuner tuner(self);
                    CHECK_THROWS_WITH(tuner.lr_find(module, toy_data()),
                                      Contains("already running (fit)"));
                    CHECK_THROWS_WITH(tuner.scale_batch_size(module, toy_data()),
                                      Contains("already running (fit)"));
                    CHECK(self.callbacks().size() == 1);
                    ++refused;
                  })});
  trainer.fit(module, toy_data());
  CHECK(refused == 1);
  CHECK(trainer.global_step() == 3);
}

TEST_CASE(
    "another trainer evaluates the module within a hook, and the outer run is as without it") {
  const auto trained = [](const std::string& where, const std::string& kind) {
    at::manual_seed(3);
    Trace trace;
    ToyModule module;
    module.dropout = 0.3;
    ToyDataModule data;
    TrainerOptions options = quiet(2);
    options.accumulate_grad_batches = 2;
    options.num_sanity_val_steps = 1;
    Trainer outer(options, {script(trace, [&](const std::string& hook, Trainer& trainer) {
                    if (hook != where) return;
                    TrainerOptions seeded = quiet(1);
                    seeded.seed = 11;
                    seeded.deterministic = Deterministic::on;
                    Trainer inner(seeded);
                    if (kind == "validate") {
                      CHECK(inner.validate(module, validation()).size() == 1);
                    } else if (kind == "predict") {
                      CHECK(inner.predict(module, validation()).size() == 1);
                    } else {
                      CHECK(inner.validate(module, data).size() == 1);
                    }
                    CHECK(&module.trainer() == &trainer);
                    CHECK(data.trainer() == &trainer);
                  })});
    outer.fit(module, data);
    CHECK_FALSE(at::globalContext().deterministicAlgorithms());
    CHECK(outer.global_step() == 4);
    CHECK(outer.callback_metrics().find("val_loss") != nullptr);
    return module.weight.detach().clone();
  };
  const at::Tensor plain = trained("nowhere", "");
  for (const std::string& where : hooks()) {
    // After teardown and the like the module has a trainer still, but none that it must go back to.
    for (const std::string kind : {"validate", "predict", "with the data module"}) {
      INFO(kind << " in " << where);
      CHECK(at::equal(trained(where, kind), plain));
    }
  }
}

TEST_CASE("an evaluation within a hook that fails gives the module back all the same") {
  Trace trace;
  ToyModule module;
  int failed = 0;
  Trainer outer(quiet(1), {script(trace, [&](const std::string& hook, Trainer& trainer) {
                  if (hook != "on_train_batch_end") return;
                  Trace inner_trace;
                  Trainer inner(quiet(1),
                                {script(inner_trace, [](const std::string& now, Trainer&) {
                                  if (now == "on_validation_batch_end") {
                                    throw std::runtime_error("inner");
                                  }
                                })});
                  CHECK_THROWS_WITH(inner.validate(module, validation()), "inner");
                  CHECK(&module.trainer() == &trainer);
                  ++failed;
                })});
  outer.fit(module, toy_data());
  CHECK(failed == 3);
  CHECK(outer.global_step() == 3);
}

TEST_CASE(
    "a module whose modes can't be put back after a run within a hook has its gradients all the same") {
  struct Stubborn final : ToyModule {
    void set_training_modes(const std::vector<std::pair<std::string, bool>>&) override { throw 7; }
  };
  const auto trained = [](bool evaluates) {
    Trace trace;
    Stubborn module;
    Trainer outer(quiet(1), {script(trace, [&](const std::string& hook, Trainer&) {
                    if (!evaluates || hook != "on_after_backward") return;
                    Trainer(quiet(1)).predict(module, validation());
                  })});
    outer.fit(module, toy_data());
    return module.weight.detach().clone();
  };
  const CapturedLog log;
  CHECK(at::equal(trained(true), trained(false)));
  CHECK_THAT(log.text(),
             Contains("the modes of the module's layers could not be put back: an exception"));
}

TEST_CASE("another trainer with another precision can't run the module within a hook") {
  Trace trace;
  ToyModule module;
  int refused = 0;
  Trainer outer(quiet(1), {script(trace, [&](const std::string& hook, Trainer&) {
                  if (hook != "on_train_start") return;
                  TrainerOptions other = quiet(1);
                  other.precision = Precision::f64_true;
                  Trainer inner(other);
                  CHECK_THROWS_WITH(inner.validate(module, validation()), Contains("ToyModule") &&
                                                                              Contains("64-true") &&
                                                                              Contains("32-true"));
                  ++refused;
                })});
  outer.fit(module, toy_data());
  CHECK(refused == 1);
  CHECK(module.weight.scalar_type() == at::kFloat);
}

TEST_CASE("a module in a Fabric's loop is the Fabric's again after a trainer has evaluated it") {
  ToyModule module;
  Fabric fabric;
  fabric.setup(module);
  Trainer trainer(quiet(1));
  trainer.validate(module, validation());
  CHECK(&module.trainer() == &fabric.trainer());
}

TEST_CASE("a module can't be set up with a Fabric while a trainer runs it") {
  Trace trace;
  ToyModule module;
  Trainer trainer(quiet(1), {script(trace, [&](const std::string& hook, Trainer&) {
                    if (hook != "on_train_start") return;
                    Fabric fabric;
                    CHECK_THROWS_WITH(fabric.setup(module), Contains("in a trainer's fit now"));
                  })});
  trainer.fit(module, toy_data());
  CHECK(trainer.global_step() == 3);
}

TEST_CASE("what a run chooses for LibTorch ends with it") {
  at::Context& context = at::globalContext();
  const bool benchmark = context.benchmarkCuDNN();
  for (const bool fails : {false, true}) {
    Trace trace;
    ToyModule module;
    TrainerOptions options = quiet(1);
    options.deterministic = Deterministic::warn;
    options.benchmark = !benchmark;
    options.detect_anomaly = true;
    bool inside = false;
    Trainer trainer(options, {script(trace, [&](const std::string& hook, Trainer&) {
                      if (hook != "on_train_batch_end") return;
                      inside = context.deterministicAlgorithms();
                      if (fails) throw std::runtime_error("broken");
                    })});
    try {
      trainer.fit(module, toy_data());
    } catch (const std::runtime_error&) {
    }
    CHECK(inside);
    CHECK_FALSE(context.deterministicAlgorithms());
    CHECK_FALSE(context.deterministicAlgorithmsWarnOnly());
    CHECK(context.benchmarkCuDNN() == benchmark);
  }
}

}  // namespace nested_run_test
