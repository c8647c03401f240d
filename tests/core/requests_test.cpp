// Asking the trainer for something else than planned: what is granted, where, and what is refused.
#include "catch.h"
#include "grapnel/base/error.h"
#include "support/recorder.h"
#include "support/toy.h"
#include "temp_dir.h"

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

TEST_CASE("skip_batch leaves out the step of one batch, whose end hook still fires") {
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

TEST_CASE("end_epoch at a batch's start leaves that batch and the rest of the epoch out") {
  const Asked asked = ask(RequestKind::end_epoch, "on_train_batch_start", 1);
  CHECK(asked.global_step == 4);  // one step in the first epoch, three in the second
  CHECK(count(asked.trace, "cb.on_train_epoch_end") == 2);
}

TEST_CASE("end_epoch at a batch's end leaves the rest of the epoch out") {
  const Asked asked = ask(RequestKind::end_epoch, "on_train_batch_end", 2);
  CHECK(asked.global_step == 5);
  CHECK(count(asked.trace, "cb.on_train_epoch_end") == 2);
}

TEST_CASE("evaluate runs the validation after the batch although none is due") {
  const Asked asked = ask(RequestKind::evaluate, "on_train_batch_end", 1);
  CHECK(count(asked.trace, "cb.on_validation_start") == 3);
}

TEST_CASE("save writes a checkpoint after the batch") {
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

TEST_CASE("a request where it has no meaning is refused and says where it has one") {
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

}  // namespace requests_test
