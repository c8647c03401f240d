// A run that was stopped anywhere and resumed ends with the same bits as one that was never stopped.
#include <random>

#include "../support/recorder.h"
#include "catch.h"
#include "temp_dir.h"
#include "toy.h"

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

// What a batch had done when a checkpoint was written in its middle is done again, once.
TEST_CASE("resuming from the middle of a batch neither loses nor doubles gradients") {
  const Setup setup{.accumulate = 3};
  const End expected = uninterrupted(setup);
  TempDir directory;
  for (const std::string hook :
       {"on_train_batch_start", "on_before_zero_grad", "on_before_backward", "on_after_backward",
        "on_before_optimizer_step"}) {
    const bool once_a_window = hook == "on_before_zero_grad" || hook == "on_before_optimizer_step";
    for (int call = 1; call <= 2 * (once_a_window ? 2 : setup.batches); ++call) {
      INFO(hook << ", call " << call);
      const End end = interrupted(setup, hook, call, directory.path() / "a.ckpt");
      CHECK(at::equal(end.weight, expected.weight));
      CHECK(at::equal(end.bias, expected.bias));
    }
  }
}

TEST_CASE("a fit after a failed fit can be resumed like any other") {
  const Setup setup{.epochs = 3, .accumulate = 2};
  TempDir directory;
  const auto file = directory.path() / "a.ckpt";
  // Fails at its second batch, fits again, and saves where it is told to.
  const auto fit_twice = [&](const std::string& save_in, int at_call) {
    Trace trace;
    auto script = std::make_shared<Recorder>(trace);
    int batches = 0;
    int calls = 0;
    bool failed = false;
    script->script = [&](const std::string& hook, Trainer& trainer) {
      if (!failed && hook == "on_train_batch_start" && ++batches == 2) {
        failed = true;
        throw std::runtime_error("killed");
      }
      if (failed && hook == save_in && ++calls == at_call) trainer.save_checkpoint(file);
    };
    ToyModule module;
    Trainer trainer(options_of(setup), {script});
    CHECK_THROWS_WITH(trainer.fit(module, toy_data(setup.batches)), "killed");
    trainer.fit(module, toy_data(setup.batches));
    return end_of(module, trainer);
  };
  for (const std::string hook :
       {"on_train_batch_end", "on_validation_end", "on_train_epoch_end", "on_train_epoch_start"}) {
    const int calls = hook == "on_train_batch_end" ? 2 * static_cast<int>(setup.batches) : 3;
    for (int call = 1; call <= calls; ++call) {
      INFO(hook << ", call " << call);
      const End expected = fit_twice(hook, call);
      ToyModule module;
      Trainer trainer(options_of(setup));
      trainer.fit(module, toy_data(setup.batches), {.ckpt_path = file.string()});
      check_equal(end_of(module, trainer), expected);
    }
  }
}

TEST_CASE("metrics logged with add_dataloader_idx=false continue after a resume") {
  class Net final : public ToyModule {
   public:
    StepOutput training_step(Batch& batch, int64_t index) override {
      log("plain", static_cast<double>(index),
          {.on_step = false, .on_epoch = true, .add_dataloader_idx = false});
      return ToyModule::training_step(batch, index);
    }
  };
  TempDir directory;
  const auto file = directory.path() / "a.ckpt";
  {
    Trace trace;
    auto saver = std::make_shared<Recorder>(trace);
    saver->script = [&](const std::string& hook, Trainer& trainer) {
      if (hook == "on_train_batch_end" && trainer.global_step() == 2) trainer.save_checkpoint(file);
    };
    Net module;
    Trainer trainer(quiet(1), {saver});
    trainer.fit(module, toy_data());
  }
  Net module;
  Trainer trainer(quiet(1));
  trainer.fit(module, toy_data(), {.ckpt_path = file.string()});
  CHECK(trainer.callback_metrics().at("plain") == 1.0);
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
