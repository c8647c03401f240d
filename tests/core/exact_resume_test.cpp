// A run that was stopped anywhere and resumed ends with the same bits as one that was never stopped.
#include <random>

#include "catch.h"
#include "support/recorder.h"
#include "support/toy.h"
#include "temp_dir.h"

namespace exact_resume_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

struct Setup {
  int64_t epochs = 4;
  int64_t batches = 5;
  int64_t accumulate = 1;
  double dropout = 0;
};

TrainerOptions options_of(const Setup& setup) {
  TrainerOptions options = quiet(setup.epochs);
  options.accumulate_grad_batches = setup.accumulate;
  return options;
}

struct End {
  at::Tensor weight;
  at::Tensor bias;
  double train_loss = 0;
  int64_t global_step = 0;
};

End end_of(ToyModule& module, Trainer& trainer) {
  return {module.weight.detach().clone(), module.bias.detach().clone(),
          trainer.callback_metrics().at("train_loss"), trainer.global_step()};
}

void check_equal(const End& a, const End& b) {
  CHECK(at::equal(a.weight, b.weight));
  CHECK(at::equal(a.bias, b.bias));
  CHECK(a.train_loss == b.train_loss);
  CHECK(a.global_step == b.global_step);
}

End uninterrupted(const Setup& setup) {
  at::manual_seed(7);
  ToyModule module;
  module.dropout = setup.dropout;
  Trainer trainer(options_of(setup));
  trainer.fit(module, toy_data(setup.batches));
  return end_of(module, trainer);
}

// Stops by an exception at the n-th call of a hook, having saved there, and goes on in a new trainer.
End interrupted(const Setup& setup, const std::string& hook, int at_call,
                const std::filesystem::path& file) {
  at::manual_seed(7);
  {
    Trace trace;
    auto saver = std::make_shared<Recorder>(trace);
    int calls = 0;
    saver->script = [&](const std::string& now, Trainer& trainer) {
      if (now != hook || ++calls != at_call) return;
      trainer.save_checkpoint(file);
      throw std::runtime_error("killed");
    };
    ToyModule module;
    module.dropout = setup.dropout;
    Trainer trainer(options_of(setup), {saver});
    CHECK_THROWS_WITH(trainer.fit(module, toy_data(setup.batches)), "killed");
  }
  at::manual_seed(99);  // what the new process happens to have must not matter
  ToyModule module;
  module.dropout = setup.dropout;
  Trainer trainer(options_of(setup));
  trainer.fit(module, toy_data(setup.batches), {.ckpt_path = file.string()});
  return end_of(module, trainer);
}

}  // namespace

TEST_CASE("resuming after any batch ends with the same bits") {
  const Setup setup{.dropout = 0.3};
  const End expected = uninterrupted(setup);
  TempDir directory;
  for (int call = 1; call <= setup.epochs * setup.batches; ++call) {
    INFO("stopped at batch " << call);
    check_equal(interrupted(setup, "on_train_batch_end", call, directory.path() / "a.ckpt"),
                expected);
  }
}

TEST_CASE("resuming inside an accumulation window keeps its gradients") {
  const Setup setup{.accumulate = 3};
  const End expected = uninterrupted(setup);
  TempDir directory;
  for (int call = 1; call <= 2 * setup.batches; ++call) {
    INFO("stopped at batch " << call);
    check_equal(interrupted(setup, "on_train_batch_end", call, directory.path() / "a.ckpt"),
                expected);
  }
}

TEST_CASE("resuming from the end of an epoch or of a validation ends with the same bits") {
  const Setup setup{.dropout = 0.3};
  const End expected = uninterrupted(setup);
  TempDir directory;
  for (const std::string hook :
       {"on_train_epoch_end", "on_validation_end", "on_train_epoch_start"}) {
    for (int call = 1; call <= setup.epochs; ++call) {
      INFO(hook << " of epoch " << call);
      check_equal(interrupted(setup, hook, call, directory.path() / "a.ckpt"), expected);
    }
  }
}

TEST_CASE("resuming again and again at random places ends with the same bits") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const Setup setup{.epochs = 6, .batches = 4, .accumulate = 2, .dropout = 0.3};
  const End expected = uninterrupted(setup);
  TempDir directory;
  const auto file = directory.path() / "a.ckpt";

  at::manual_seed(7);
  bool resumed = false;
  std::string stops;
  for (int attempt = 0; attempt < 200; ++attempt) {
    Trace trace;
    auto killer = std::make_shared<Recorder>(trace);
    int left = attempt < 12 ? std::uniform_int_distribution<int>(1, 40)(random) : 1 << 30;
    killer->script = [&](const std::string& hook, Trainer& trainer) {
      if (hook != "on_train_batch_end" && hook != "on_train_epoch_end") return;
      trainer.save_checkpoint(file);
      if (--left <= 0) throw std::runtime_error("killed in " + hook);
    };
    ToyModule module;
    module.dropout = setup.dropout;
    Trainer trainer(options_of(setup), {killer});
    try {
      trainer.fit(module, toy_data(setup.batches), {.ckpt_path = resumed ? file.string() : ""});
      INFO(stops);
      check_equal(end_of(module, trainer), expected);
      return;
    } catch (const std::runtime_error& error) {
      stops +=
          std::string(error.what()) + " at step " + std::to_string(trainer.global_step()) + "; ";
      resumed = true;
      at::manual_seed(random());
    }
  }
  FAIL("the run never ended");
}

}  // namespace exact_resume_test
