// Extension trainer: where the run stands, in one struct that stays where it is.
#include <grapnel/ext/trainer.h>

#include <grapnel/callbacks/timer.h>

#include <filesystem>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"
#include "temp_dir.h"

namespace trainer_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

const grapnel_trainer_state* state_of(const Caller& caller) {
  return &caller.trainer_state();
}

}  // namespace

TEST_CASE("the trainer state is available from create on and follows the run") {
  TempDir directory;
  InProcessPlugin plugin;
  const grapnel_trainer_state* state = nullptr;
  std::vector<std::int64_t> steps, batches, last_batches;
  plugin.create = [&](const Caller& caller) {
    state = state_of(caller);
    CHECK(state->struct_size == sizeof(grapnel_trainer_state));
    CHECK(state->run == 0);
    CHECK(state->batch_idx == -1);
    return GRAPNEL_OK;
  };
  plugin.on(Hook::on_train_start, [&](const Caller& caller, const grapnel_Event*) {
    CHECK(state_of(caller) == state);
    CHECK(state->run == GRAPNEL_RUN_FIT);
    CHECK(state->stage == GRAPNEL_STAGE_TRAIN);
    CHECK(state->max_epochs == 2);
    CHECK(state->max_steps == -1);
    CHECK(state->max_time == -1);
    CHECK(state->num_training_batches == 4);
    CHECK(state->accumulate_grad_batches == 2);
    CHECK(state->sanity_checking == 0);
    CHECK(text(state->run_directory) == directory.path().string());
    return GRAPNEL_OK;
  });
  plugin.on(Hook::on_train_batch_end, [&](const Caller&, const grapnel_Event*) {
    steps.push_back(state->global_step);
    batches.push_back(state->batch_idx);
    if (state->is_last_batch == 1) last_batches.push_back(state->current_epoch);
    return GRAPNEL_OK;
  });
  plugin.on(Hook::on_validation_batch_start, [&](const Caller&, const grapnel_Event*) {
    CHECK(state->stage == GRAPNEL_STAGE_VALIDATE);
    CHECK(state->run == GRAPNEL_RUN_FIT);
    CHECK(state->batch_idx < 2);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.options.max_epochs = 2;
  toy.options.accumulate_grad_batches = 2;
  toy.options.default_root_dir = directory.path();
  toy.fit({plugin.handle()});
  CHECK(steps == std::vector<std::int64_t>{0, 1, 1, 2, 2, 3, 3, 4});
  CHECK(batches == std::vector<std::int64_t>{0, 1, 2, 3, 0, 1, 2, 3});
  CHECK(last_batches == std::vector<std::int64_t>{0, 1});
}

TEST_CASE("the trainer state distinguishes the sanity check from a validation") {
  InProcessPlugin plugin;
  std::vector<std::int32_t> stages;
  plugin.on(Hook::on_validation_start, [&](const Caller& caller, const grapnel_Event*) {
    const grapnel_trainer_state* state = state_of(caller);
    CHECK(state->sanity_checking == (state->stage == GRAPNEL_STAGE_SANITY_CHECK ? 1 : 0));
    stages.push_back(state->stage);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.options.num_sanity_val_steps = 1;
  toy.fit({plugin.handle()});
  CHECK(stages == std::vector<std::int32_t>{GRAPNEL_STAGE_SANITY_CHECK, GRAPNEL_STAGE_VALIDATE});
}

TEST_CASE("the trainer state marks steps that are logged") {
  InProcessPlugin plugin;
  std::vector<std::int32_t> logged;
  plugin.on(Hook::on_train_batch_end, [&](const Caller& caller, const grapnel_Event*) {
    logged.push_back(state_of(caller)->is_logging_step);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.options.log_every_n_steps = 2;
  toy.fit({plugin.handle()});
  CHECK(logged == std::vector<std::int32_t>{0, 1, 0, 1});
}

// The state that several instances see of one hook is computed for the first of them.
namespace {

struct Seen {
  std::int64_t hook, stage, global_step, epoch, batch_idx, is_last_batch, is_logging_step,
      stop_requested;
  bool operator==(const Seen&) const = default;
};

Seen seen_by(const Caller& caller, const grapnel_Event* event) {
  const grapnel_trainer_state& state = caller.trainer_state();
  return {event->hook,     state.stage,         state.global_step,     state.current_epoch,
          state.batch_idx, state.is_last_batch, state.is_logging_step, state.stop_requested};
}

Seen truth(const Trainer& trainer, Hook hook, std::int64_t batch_idx) {
  const RunState& state = trainer.state();
  return {static_cast<std::int64_t>(hook),
          static_cast<std::int64_t>(state.stage),
          trainer.global_step(),
          trainer.current_epoch(),
          batch_idx,
          state.is_last_batch ? 1 : 0,
          trainer.is_logging_step() ? 1 : 0,
          state.should_stop ? 1 : 0};
}

// Runs other hooks within on_train_batch_end, between two plugins; then wants to stop.
class Nesting final : public Callback {
 public:
  explicit Nesting(std::filesystem::path path) : path_(std::move(path)) {}
  void on_train_batch_end(TrainBatchEnd& event) override {
    event.trainer.save_checkpoint(path_);
    if (event.batch_idx == 2) event.trainer.request(RequestKind::stop, "enough");
  }

 private:
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("each of several plugins sees the trainer state of its hook, whoever was called before") {
  TempDir directory;
  InProcessPlugin plugins[] = {InProcessPlugin("{}", "1.0.0", "first"),
                               InProcessPlugin("{}", "1.0.0", "second"),
                               InProcessPlugin("{}", "1.0.0", "third")};
  Toy toy;
  std::vector<int> calls(3, 0);
  int differences = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto compare = [&, i](const Caller& caller, const grapnel_Event* event) {
      const Hook hook = static_cast<Hook>(event->hook);
      std::int64_t batch_idx = toy.trainer->state().batch.current.ready - 1;
      if (hook == Hook::on_train_batch_end) {
        batch_idx = reinterpret_cast<const grapnel_TrainBatchEnd*>(event)->batch_idx;
      }
      const Seen seen = seen_by(caller, event);
      if (seen != truth(*toy.trainer, hook, batch_idx)) ++differences;
      ++calls[i];
      return GRAPNEL_OK;
    };
    for (const Hook hook : {Hook::on_train_batch_start, Hook::on_before_optimizer_step,
                            Hook::on_train_batch_end, Hook::on_save_checkpoint}) {
      plugins[i].on(hook, compare);
    }
  }
  toy.options.max_epochs = 3;
  toy.options.log_every_n_steps = 2;
  const CallbackHandle of_user[] = {plugins[0].make(), plugins[1].make(), plugins[2].make()};
  toy.fit({of_user[0].only({.every = CallSpan::steps(2)}),
           of_user[1].only({.every = CallSpan::steps(3)}),
           std::make_shared<Nesting>(directory.path() / "nested.ckpt"), of_user[2]});
  CHECK(differences == 0);
  CHECK(toy.trainer->global_step() == 3);
  // Four hooks per batch, of which the one of checkpoints isn't filtered.
  CHECK(calls == std::vector<int>{1 * 3 + 3, 1 * 3 + 3, 4 * 3});
}

TEST_CASE("max_time in the trainer state is that of the strictest timer") {
  const auto max_time = [](const std::string& option, const std::vector<double>& durations) {
    InProcessPlugin plugin;
    std::vector<double> seen;
    plugin.init = [&](const Caller& caller) {
      CHECK(caller.trainer_state().max_time == -1);
      return GRAPNEL_OK;
    };
    for (const Hook hook : {Hook::on_fit_start, Hook::on_before_optimizer_step}) {
      plugin.on(hook, [&](const Caller& caller, const grapnel_Event*) {
        if (seen.empty() || seen.back() != caller.trainer_state().max_time) {
          seen.push_back(caller.trainer_state().max_time);
        }
        return GRAPNEL_OK;
      });
    }
    Toy toy;
    toy.options.max_time = option;
    std::vector<CallbackHandle> callbacks = {plugin.handle()};
    for (const double duration : durations) {
      const auto timer = std::make_shared<Timer>(TimerOptions{.duration = duration});
      timer->set_name(std::to_string(duration));
      callbacks.emplace_back(timer);
    }
    toy.fit(std::move(callbacks));
    REQUIRE(seen.size() == 1);
    return seen.front();
  };
  CHECK(max_time("", {}) == -1);
  CHECK(max_time("00:02:00:00", {}) == 7200);
  CHECK(max_time("", {4000, 3000.5}) == 3000.5);
}

TEST_CASE("batch_idx counts within its own data loader") {
  InProcessPlugin plugin;
  std::vector<std::int64_t> of_state, of_event, loaders;
  plugin.on(Hook::on_validation_batch_start, [&](const Caller& caller, const grapnel_Event* raw) {
    const auto* event = reinterpret_cast<const grapnel_EvalBatchStart*>(raw);
    of_state.push_back(state_of(caller)->batch_idx);
    of_event.push_back(event->batch_idx);
    loaders.push_back(event->dataloader_idx);
    return GRAPNEL_OK;
  });
  plugin.on(Hook::on_validation_batch_end, [&](const Caller& caller, const grapnel_Event* raw) {
    CHECK(state_of(caller)->batch_idx ==
          reinterpret_cast<const grapnel_EvalBatchEnd*>(raw)->batch_idx);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.trainer =
      std::make_unique<Trainer>(toy.options, std::vector<CallbackHandle>{plugin.handle()});
  toy.trainer->validate(toy.module, Data(DataLoaders{toy.val, std::make_shared<ToyLoader>(3)}));
  CHECK(loaders == std::vector<std::int64_t>{0, 0, 1, 1, 1});
  CHECK(of_event == std::vector<std::int64_t>{0, 1, 0, 1, 2});
  CHECK(of_state == of_event);
}

}  // namespace trainer_test
