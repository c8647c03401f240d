#include "grapnel/callbacks/early_stopping.h"

#include <limits>

#include "../support/recorder.h"
#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/callbacks/model_checkpoint.h"
#include "grapnel/callbacks/model_pruning.h"
#include "temp_dir.h"

namespace early_stopping_test {

using namespace grapnel;
using namespace grapnel::test;
using Reason = EarlyStopping::Reason;

namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInfinity = std::numeric_limits<double>::infinity();

struct End {
  std::shared_ptr<EarlyStopping> stopping;
  int64_t epochs;
  bool should_stop;
  std::vector<Request> granted;
};

End run(std::vector<double> values, EarlyStoppingOptions options,
        TrainerOptions trainer_options = quiet(10)) {
  auto stopping = std::make_shared<EarlyStopping>("val_loss", options);
  ScriptedModule module(std::move(values));
  Trainer trainer(std::move(trainer_options), {stopping});
  trainer.fit(module, toy_data(1, 1));
  return {stopping, trainer.current_epoch(), trainer.should_stop(), trainer.granted_requests()};
}

}  // namespace

TEST_CASE("EarlyStopping stops after `patience` checks without improvement") {
  const End end = run({3, 2, 2, 2.5, 2}, {.patience = 3});
  CHECK(end.epochs == 5);
  CHECK(end.should_stop);
  CHECK(end.stopping->wait_count() == 3);
  CHECK(end.stopping->stopped_epoch() == 4);
  CHECK(end.stopping->best_score() == 2.0);
  CHECK(end.stopping->stopping_reason() == Reason::patience_exhausted);
  CHECK_THAT(*end.stopping->stopping_reason_message(),
             Catch::Contains("last 3 checks") && Catch::Contains("2.000"));
}

TEST_CASE("an improvement resets EarlyStopping's count of checks") {
  CHECK(run({5, 6, 4, 6, 3, 6, 6}, {.patience = 2}).epochs == 7);
}

TEST_CASE("EarlyStopping with patience 0 or 1 stops at the first check without improvement") {
  CHECK(run({3, 2, 2}, {.patience = 0}).epochs == 3);
  CHECK(run({3, 2, 2}, {.patience = 1}).epochs == 3);
}

TEST_CASE("small improvements count for EarlyStopping once they add up to more than min_delta") {
  const End end = run({5, 4.8, 4.6, 4.3, 4.1, 3.9, 3.7}, {.min_delta = 0.5, .patience = 3});
  CHECK(end.epochs == 10);
  CHECK(end.stopping->best_score() == Approx(3.7));
}

TEST_CASE("a non-finite metric stops the training at once unless check_finite is off") {
  for (const double value : {kNan, kInfinity, -kInfinity}) {
    const End end = run({3, 2, value, 1}, {});
    CHECK(end.epochs == 3);
    CHECK(end.stopping->stopping_reason() == Reason::non_finite_metric);
    CHECK(end.stopping->best_score() == 2.0);
  }
  const End end = run({3, kNan, 2, kNan, kNan, kNan}, {.check_finite = false});
  CHECK(end.epochs == 6);
  CHECK(end.stopping->stopping_reason() == Reason::patience_exhausted);
}

TEST_CASE("EarlyStopping stops past stopping_threshold and past divergence_threshold") {
  const End good =
      run({0.5, 0.8, 0.9, 0.95}, {.mode = MonitorMode::max, .stopping_threshold = 0.9});
  CHECK(good.epochs == 4);
  CHECK(good.stopping->stopping_reason() == Reason::stopping_threshold);
  CHECK_THAT(*good.stopping->stopping_reason_message(),
             Catch::Contains("above") && Catch::Contains("0.9"));

  const End bad = run({3, 4, 5, 5.1}, {.patience = 10, .divergence_threshold = 5.0});
  CHECK(bad.epochs == 4);
  CHECK(bad.stopping->stopping_reason() == Reason::divergence_threshold);
  CHECK_THAT(*bad.stopping->stopping_reason_message(),
             Catch::Contains("above") && Catch::Contains("5.1"));
}

TEST_CASE("EarlyStopping ignores improvements below single precision") {
  CHECK(run({1.0, 1.0 - 1e-12, 1.0 - 2e-12}, {.patience = 2}).epochs == 3);
}

TEST_CASE("EarlyStopping on a metric that nothing logs is an error that names the nearest metric") {
  auto stopping = std::make_shared<EarlyStopping>("val_los");
  ScriptedModule module({1});
  Trainer trainer(quiet(3), {stopping});
  CHECK_THROWS_WITH(trainer.fit(module, toy_data(1, 1)),
                    Catch::Contains("'val_los'") && Catch::Contains("did you mean 'val_loss'?"));
}

TEST_CASE("without strict, EarlyStopping skips checks whose metric is missing") {
  auto stopping = std::make_shared<EarlyStopping>(
      "nope", EarlyStoppingOptions{.verbose = true, .strict = false});
  ScriptedModule module({1});
  Trainer trainer(quiet(2), {stopping});
  const CapturedLog log;
  trainer.fit(module, toy_data(1, 1));
  CHECK(trainer.current_epoch() == 2);
  CHECK_THAT(log.text(), Catch::Contains("warning: EarlyStopping monitors 'nope'"));
}

TEST_CASE("EarlyStopping doesn't check during the sanity check") {
  TrainerOptions options = quiet(10);
  options.num_sanity_val_steps = 1;
  CHECK(run({3, 3, 3}, {.patience = 1}, options).epochs == 2);
}

TEST_CASE("min_epochs defers EarlyStopping's stop while its checks continue") {
  TrainerOptions options = quiet(10);
  options.min_epochs = 6;
  const End end = run({3}, {.patience = 1}, options);
  CHECK(end.epochs == 6);
  CHECK(end.stopping->wait_count() == 5);
  CHECK(end.stopping->stopped_epoch() == 5);
}

TEST_CASE(
    "EarlyStopping checks when its metric is logged: at epoch ends, or at validations when they "
    "are rarer") {
  TrainerOptions options = quiet(10);
  options.check_val_every_n_epoch = 2;
  const End end = run({3}, {.patience = 2}, options);
  CHECK(end.epochs == 6);  // validations after epochs 1, 3 and 5
  CHECK(end.stopping->wait_count() == 2);
}

TEST_CASE("EarlyStopping warns once about a metric that is logged less often than it is checked") {
  TrainerOptions options = quiet(6);
  options.check_val_every_n_epoch = 3;
  const CapturedLog log;
  auto stopping = std::make_shared<EarlyStopping>(
      "val_loss",
      EarlyStoppingOptions{.patience = 9, .strict = false, .check_on_train_epoch_end = true});
  ScriptedModule module({3, 2, 1});
  Trainer trainer(options, {stopping});
  trainer.fit(module, toy_data(1, 1));
  const std::string text = log.text();
  const size_t first = text.find("nothing logged it since step 3");
  REQUIRE(first != std::string::npos);
  CHECK(text.find("nothing logged it since", first + 1) == std::string::npos);
}

TEST_CASE("EarlyStopping checks nothing before start_from_epoch") {
  const End end = run({1, 9, 5, 4, 4, 4}, {.patience = 2, .start_from_epoch = 2});
  CHECK(end.epochs == 6);
  CHECK(end.stopping->best_score() == 4.0);
}

TEST_CASE("fast_dev_run turns EarlyStopping off") {
  TrainerOptions options = quiet(1);
  options.fast_dev_run = 1;
  auto stopping = std::make_shared<EarlyStopping>("nope");
  ScriptedModule module({1});
  Trainer trainer(options, {stopping});
  CHECK_NOTHROW(trainer.fit(module, toy_data(1, 1)));
}

TEST_CASE("restore_best_weights puts back the weights of the best check") {
  at::Tensor best;
  class Watch : public Callback {
   public:
    explicit Watch(at::Tensor& copy) : copy_(copy) {}
    void on_train_epoch_end(Event& event) override {
      if (event.trainer.current_epoch() == 1) {
        copy_ = event.module.state_view().find("weight")->tensor.detach().clone();
      }
    }

   private:
    at::Tensor& copy_;
  };
  auto stopping = std::make_shared<EarlyStopping>(
      "val_loss", EarlyStoppingOptions{.patience = 2, .restore_best_weights = true});
  ScriptedModule module({3, 1, 2, 2});
  Trainer trainer(quiet(10), {stopping, std::make_shared<Watch>(best)});
  trainer.fit(module, toy_data(2, 1));
  CHECK(trainer.current_epoch() == 4);
  CHECK(at::equal(module.weight, best));

  ScriptedModule last({3, 1, 2, 2});
  Trainer plain(quiet(10),
                {std::make_shared<EarlyStopping>("val_loss", EarlyStoppingOptions{.patience = 2})});
  plain.fit(last, toy_data(2, 1));
  CHECK_FALSE(at::equal(last.weight, best));
}

TEST_CASE("the best weights come back into a model that was pruned since") {
  for (const bool permanent : {true, false}) {
    for (const bool pruning_first : {true, false}) {
      INFO("permanent " << permanent << ", pruning first " << pruning_first);
      ModelPruningOptions options{.amount = int64_t{1}, .make_pruning_permanent = permanent};
      options.parameters_to_prune = {"weight"};
      options.apply_pruning = std::function<bool(int64_t)>([](int64_t epoch) { return epoch > 0; });
      options.use_lottery_ticket_hypothesis = false;
      std::vector<CallbackHandle> callbacks = {
          std::make_shared<EarlyStopping>(
              "val_loss", EarlyStoppingOptions{.patience = 2, .restore_best_weights = true}),
          std::make_shared<ModelPruning>("l1_unstructured", options)};
      if (pruning_first) std::swap(callbacks[0], callbacks[1]);
      ScriptedModule module({1, 2, 3});
      at::Tensor best;
      Trace trace;
      auto recorder = std::make_shared<Recorder>(trace);
      recorder->script = [&](const std::string& hook, Trainer& trainer) {
        const bool then = hook == "on_validation_end" && trainer.current_epoch() == 0;
        if (then) best = module.weight.detach().clone();
      };
      callbacks.emplace_back(recorder);
      const CapturedLog log;
      Trainer trainer(quiet(10), std::move(callbacks));
      trainer.fit(module, toy_data(2, 1));
      CHECK(trainer.current_epoch() == 3);
      const at::Tensor& mask = module.state_view().find("weight")->mask;
      CHECK(mask.defined() == !permanent);
      const at::Tensor kept = permanent ? (module.weight != 0) : (mask != 0);
      CHECK(kept.sum().item<int64_t>() == 1);
      CHECK(at::equal(module.weight, permanent ? best * kept : best));
      CHECK_THAT(log.text(), !Catch::Contains("another shape"));
    }
  }
}

TEST_CASE(
    "EarlyStopping's state is in checkpoints, and a resumed run stops where the first would have") {
  const TempDir directory;
  const std::vector<double> values = {5, 4, 4.5, 4.6, 4.7, 4.8};
  {
    ScriptedModule module(values);
    Trainer trainer(quiet(3), {std::make_shared<EarlyStopping>("val_loss")});
    trainer.fit(module, toy_data(1, 1));
    trainer.save_checkpoint(directory / "a.ckpt");
  }
  auto stopping = std::make_shared<EarlyStopping>("val_loss", EarlyStoppingOptions{.patience = 3});
  ScriptedModule module(values);
  Trainer trainer(quiet(10), {stopping});
  trainer.fit(module, toy_data(1, 1), {.ckpt_path = (directory / "a.ckpt").string()});
  CHECK(trainer.current_epoch() == 5);
  CHECK(stopping->best_score() == 4.0);
}

TEST_CASE("a stop that min_epochs puts off is kept over a resume, and over an improvement") {
  const TempDir directory;
  const std::vector<double> values = {5, 5, 4, 3, 2, 1};
  TrainerOptions options = quiet(6);
  options.min_epochs = 4;
  const EarlyStoppingOptions impatient{.patience = 1};
  const End undisturbed = run(values, impatient, options);
  REQUIRE(undisturbed.epochs == 4);

  const auto file = directory / "killed.ckpt";
  {
    Trace trace;
    auto killer = std::make_shared<Recorder>(trace);
    killer->script = [&](const std::string& now, Trainer& trainer) {
      if (now != "on_train_epoch_start" || trainer.current_epoch() != 3) return;
      trainer.save_checkpoint(file);
      throw std::runtime_error("killed");
    };
    ScriptedModule module(values);
    Trainer trainer(options, {std::make_shared<EarlyStopping>("val_loss", impatient), killer});
    CHECK_THROWS_AS(trainer.fit(module, toy_data(1, 1)), std::runtime_error);
  }
  std::vector<Request> granted;
  const auto epochs_with = [&](int64_t patience) {
    ScriptedModule module(values);
    Trainer trainer(options, {std::make_shared<EarlyStopping>(
                                 "val_loss", EarlyStoppingOptions{.patience = patience})});
    trainer.fit(module, toy_data(1, 1), {.ckpt_path = file.string()});
    granted = trainer.granted_requests();
    return trainer.current_epoch();
  };
  CHECK(epochs_with(1) == undisturbed.epochs);
  REQUIRE(granted.size() == 1);
  CHECK(granted[0].global_step == undisturbed.granted[0].global_step);
  CHECK(granted[0].epoch == undisturbed.granted[0].epoch);
  CHECK(epochs_with(2) == 6);
}

TEST_CASE("EarlyStopping's state has Lightning's keys, and an invalid state changes nothing") {
  EarlyStopping stopping("val_loss");
  CHECK(stopping.state_key() == "EarlyStopping{'monitor': 'val_loss', 'mode': 'min'}");
  StateDict state = stopping.state_dict();
  for (const char* key : {"wait_count", "stopped_epoch", "best_score", "patience",
                          "stopping_reason", "stopping_reason_message"}) {
    CHECK(state.contains(key));
  }
  state["wait_count"] = 7;
  state["stopping_reason"] = 5;
  CHECK_THROWS_AS(stopping.load_state_dict(state), CheckpointError);
  CHECK(stopping.wait_count() == 0);
  state.erase("stopping_reason");
  state.erase("stopping_reason_message");
  stopping.load_state_dict(state);
  CHECK(stopping.wait_count() == 7);

  stopping.set_name("mine");
  CHECK(stopping.state_key() == "mine");
}

TEST_CASE("EarlyStopping's reason is logged once, and verbose logs every improvement") {
  const CapturedLog log;
  run({3, 2, 2}, {.patience = 1, .verbose = true});
  const std::string text = log.text();
  CHECK_THAT(text, Catch::Contains("first best value 3.000") &&
                       Catch::Contains("improved by 1.000") &&
                       Catch::Contains("EarlyStopping requested a stop at step 3"));
  CHECK(text.find("did not improve") == text.rfind("did not improve"));
}

TEST_CASE("meaningless options of EarlyStopping are refused") {
  CHECK_THROWS_AS(EarlyStopping(""), ConfigError);
  CHECK_THROWS_WITH(EarlyStopping("x", {.patience = -1}),
                    Catch::Contains("patience must be at least 0, found the integer -1"));
  CHECK_THROWS_WITH(EarlyStopping("x", {.min_delta = kNan}), Catch::Contains("min_delta"));
  CHECK_THROWS_WITH(parse_monitor_mode("avg"),
                    Catch::Contains("'avg'") && Catch::Contains("'min'"));
}

}  // namespace early_stopping_test
