// A training whose batches and calls are noted, run as a whole or in two halves: what was done must be
// the same.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "catch.h"
#include "recorder.h"
#include "toy.h"

namespace grapnel::test {

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
inline std::shared_ptr<Recorder> actor_at(const std::string& hook, int call,
                                          std::function<void(Trainer&)> action) {
  static Trace unused;
  auto recorder = std::make_shared<Recorder>(unused);
  recorder->set_name("actor");
  recorder->script = [=, calls = 0](const std::string& now, Trainer& trainer) mutable {
    if (now == hook && !trainer.sanity_checking() && ++calls == call) action(trainer);
  };
  return recorder;
}

struct TracedSetup {
  TrainerOptions options = quiet(2);
  int64_t batches = 12;
};

struct TracedRun {
  TracedModule module;
  std::shared_ptr<Counter> before = std::make_shared<Counter>("before");
  std::shared_ptr<Counter> behind = std::make_shared<Counter>("behind");

  // actor: stands between the two counters.
  std::string fit(const TracedSetup& setup, const std::shared_ptr<Recorder>& actor,
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

inline void check_same(const TracedRun& run, const TracedRun& whole) {
  CHECK(run.before->calls == whole.before->calls);
  CHECK(run.behind->calls == whole.behind->calls);
  CHECK(run.global_step == whole.global_step);
  CHECK(run.epoch == whole.epoch);
  CHECK(at::equal(run.module.weight, whole.module.weight));
}

}  // namespace grapnel::test
