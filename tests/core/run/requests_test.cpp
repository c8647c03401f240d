// Asking the trainer for something else than planned: what is granted, where, and what is refused.
#include "../support/recorder.h"
#include "catch.h"
#include "grapnel/base/error.h"
#include "grapnel/lr_schedulers/step_lr.h"
#include "temp_dir.h"
#include "toy.h"

namespace requests_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

// Runs two epochs of three batches and asks for something once, in one hook.
struct Asked {
  Trace trace;
  int64_t global_step = 0;
  std::vector<Request> granted;
};

Asked ask(RequestKind kind, const std::string& in_hook, int64_t at_step,
          TrainerOptions options = quiet(2)) {
  Asked asked;
  auto recorder = std::make_shared<Recorder>(asked.trace);
  bool done = false;
  recorder->script = [&](const std::string& hook, Trainer& trainer) {
    if (done || hook != in_hook || trainer.global_step() != at_step) return;
    done = true;
    trainer.request(kind, "a test");
  };
  ToyModule module;
  Trainer trainer(std::move(options), {recorder});
  trainer.fit(module, toy_data());
  asked.global_step = trainer.global_step();
  asked.granted = trainer.granted_requests();
  return asked;
}

int count(const Trace& trace, const std::string& name) {
  return static_cast<int>(std::count(trace.begin(), trace.end(), name));
}

}  // namespace

TEST_CASE("skip_batch skips the step of one batch, whose end hook still fires") {
  const Asked asked = ask(RequestKind::skip_batch, "on_train_batch_start", 1);
  CHECK(asked.global_step == 5);
  CHECK(count(asked.trace, "cb.on_train_batch_start") == 6);
  CHECK(count(asked.trace, "cb.on_train_batch_end") == 6);
  CHECK(count(asked.trace, "cb.on_before_backward") == 5);
}

TEST_CASE("skip_step computes the gradients but leaves the weights alone") {
  ToyModule module;
  at::Tensor before;
  at::Tensor after;
  Trace trace;
  auto recorder = std::make_shared<Recorder>(trace);
  recorder->script = [&](const std::string& hook, Trainer& trainer) {
    if (hook == "on_before_optimizer_step" && trainer.global_step() == 1) {
      before = module.weight.detach().clone();
      trainer.request(RequestKind::skip_step, "a test");
    }
    if (hook == "on_train_batch_end" && before.defined() && !after.defined()) {
      after = module.weight.detach().clone();
    }
  };
  Trainer trainer(quiet(1), {recorder});
  trainer.fit(module, toy_data());
  REQUIRE(after.defined());
  CHECK(at::equal(before, after));
  CHECK(trainer.global_step() == 3);
}

TEST_CASE("end_epoch at a batch's start skips that batch and the rest of the epoch") {
  const Asked asked = ask(RequestKind::end_epoch, "on_train_batch_start", 1);
  CHECK(asked.global_step == 4);  // one step in the first epoch, three in the second
  CHECK(count(asked.trace, "cb.on_train_epoch_end") == 2);
}

TEST_CASE("end_epoch at a batch's end skips the rest of the epoch") {
  const Asked asked = ask(RequestKind::end_epoch, "on_train_batch_end", 2);
  CHECK(asked.global_step == 5);
  CHECK(count(asked.trace, "cb.on_train_epoch_end") == 2);
}

TEST_CASE("an evaluate request runs a validation after the batch although none is due") {
  const Asked asked = ask(RequestKind::evaluate, "on_train_batch_end", 1);
  CHECK(count(asked.trace, "cb.on_validation_start") == 3);
}

TEST_CASE("a save request writes a checkpoint after the batch") {
  TempDir directory;
  TrainerOptions options = quiet(2);
  options.default_root_dir = directory.path();
  const Asked asked = ask(RequestKind::save, "on_train_batch_end", 2, options);
  CHECK(std::filesystem::exists(directory.path() / "checkpoints" / "request-step=2.ckpt"));
  CHECK(count(asked.trace, "cb.on_checkpoint_written") == 1);
  REQUIRE(asked.granted.size() == 1);
  CHECK(asked.granted[0].reason == "a test");
  CHECK(asked.granted[0].author == "Recorder");
}

TEST_CASE("a request in a hook where it has no meaning is refused, naming the hooks where it has") {
  CHECK_THROWS_WITH(
      ask(RequestKind::skip_batch, "on_train_batch_end", 1),
      Catch::Contains("on_train_batch_end") && Catch::Contains("on_train_batch_start"));
  CHECK_THROWS_AS(ask(RequestKind::skip_step, "on_train_batch_start", 1), ConfigError);
}

TEST_CASE("a stop is deferred until min_epochs are done") {
  TrainerOptions options = quiet(5);
  options.min_epochs = 2;
  const Asked asked = ask(RequestKind::stop, "on_train_batch_end", 1, options);
  CHECK(asked.global_step == 6);
}

TEST_CASE("end_epoch, evaluate and save requests are refused when no batch follows") {
  for (const std::string hook : {"on_fit_start", "on_train_start", "on_train_epoch_end"}) {
    INFO(hook);
    const int64_t step = hook == "on_train_epoch_end" ? 3 : 0;
    CHECK_THROWS_WITH(ask(RequestKind::end_epoch, hook, step), Catch::Contains(hook));
    CHECK_THROWS_WITH(ask(RequestKind::evaluate, hook, step), Catch::Contains(hook));
  }
  CHECK_THROWS_WITH(ask(RequestKind::evaluate, "on_validation_end", 3),
                    Catch::Contains("on_validation_end"));
  CHECK_THROWS_WITH(ask(RequestKind::save, "on_train_end", 6), Catch::Contains("on_train_end"));
}

TEST_CASE("a requested evaluation without validation data is not granted") {
  Trace trace;
  auto recorder = std::make_shared<Recorder>(trace);
  recorder->script = [](const std::string& hook, Trainer& trainer) {
    if (hook == "on_train_batch_end") trainer.request(RequestKind::evaluate, "a test");
  };
  ToyModule module;
  Trainer trainer(quiet(1), {recorder});
  trainer.fit(module, Data(std::make_shared<ToyLoader>(2), {}));
  CHECK(trainer.granted_requests().empty());
}

TEST_CASE("a requested evaluation runs even if the epoch is ended at the same place") {
  Trace trace;
  auto recorder = std::make_shared<Recorder>(trace);
  recorder->script = [](const std::string& hook, Trainer& trainer) {
    if (hook != "on_train_batch_start" || trainer.global_step() != 1) return;
    trainer.request(RequestKind::end_epoch, "a test");
    trainer.request(RequestKind::evaluate, "a test");
  };
  ToyModule module;
  Trainer trainer(quiet(1), {recorder});
  trainer.fit(module, toy_data());
  CHECK(count(trace, "cb.on_validation_start") == 1);
  CHECK(trainer.granted_requests().size() == 2);
}

TEST_CASE("skip_batch applies only to its batch, also with end_epoch") {
  Trace trace;
  auto recorder = std::make_shared<Recorder>(trace);
  bool asked = false;
  recorder->script = [&](const std::string& hook, Trainer& trainer) {
    if (asked || hook != "on_train_batch_start" || trainer.global_step() != 1) return;
    asked = true;
    trainer.request(RequestKind::end_epoch, "a test");
    trainer.request(RequestKind::skip_batch, "a test");
  };
  ToyModule module;
  Trainer trainer(quiet(2), {recorder});
  trainer.fit(module, toy_data());
  CHECK(trainer.global_step() == 4);  // one step in the first epoch, three in the second
}

TEST_CASE("end_epoch steps the epoch schedulers, wherever it was requested") {
  class Net final : public ToyModule {
   public:
    OptimizerConfig configure_optimizers() override {
      OptimizerConfig config = ToyModule::configure_optimizers();
      config.schedulers.push_back(
          {.scheduler = std::make_shared<StepLR>(config.optimizers[0], 1, 0.5)});
      return config;
    }
  };
  for (const std::string hook : {"on_train_batch_start", "on_train_batch_end"}) {
    INFO(hook);
    Trace trace;
    auto recorder = std::make_shared<Recorder>(trace);
    recorder->script = [&](const std::string& now, Trainer& trainer) {
      if (now == hook && trainer.global_step() == 1) {
        trainer.request(RequestKind::end_epoch, "a test");
      }
    };
    Net module;
    Trainer trainer(quiet(1), {recorder});
    trainer.fit(module, toy_data());
    CHECK(trainer.optimizers()[0]->groups()[0].options.at("lr") == Approx(0.025));
  }
}

TEST_CASE("the first stop request is the run's reason, and later ones are not granted") {
  Trace trace;
  auto recorder = std::make_shared<Recorder>(trace);
  recorder->script = [](const std::string& hook, Trainer& trainer) {
    if (hook != "on_train_batch_end") return;
    trainer.request_stop("step " + std::to_string(trainer.global_step()));
    if (trainer.global_step() == 6) trainer.request(RequestKind::evaluate, "once more");
  };
  class Reason final : public Callback {
   public:
    void on_run_end(RunEnd& event) override { text = event.reason; }
    std::string text;
  };
  auto reason = std::make_shared<Reason>();
  TrainerOptions options = quiet(5);
  options.min_epochs = 2;
  ToyModule module;
  Trainer trainer(options, {recorder, reason});
  trainer.fit(module, toy_data());
  CHECK(reason->text == "step 1");
  REQUIRE(trainer.granted_requests().size() == 2);
  CHECK(trainer.granted_requests()[1].reason == "once more");
}

}  // namespace requests_test
