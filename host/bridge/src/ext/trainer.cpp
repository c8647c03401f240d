// Extension trainer: one struct per instance, updated before each hook once the instance has asked
// for it. What it has is computed once per hook, by the first instance that the hook reaches, and
// copied by the others.
#include "trainer_state.h"

#include <atomic>
#include <filesystem>
#include <utility>

#include <grapnel/base/utf8.h>
#include <grapnel/callbacks/timer.h>
#include <grapnel/hook_number.h>
#include <grapnel/trainer.h>

#include "extensions.h"

namespace grapnel::bridge {
namespace {

std::int64_t batch_idx_of(const RunState& state, const Call& call) {
  if (call.batch_idx != kNoBatchIdx) return call.batch_idx;
  const Progress* progress = nullptr;
  switch (state.stage) {
    case Stage::train:
      progress = &state.batch;
      break;
    case Stage::sanity_check:
      progress = &state.val_batch;
      break;
    case Stage::validate:
      progress = state.kind == RunKind::fit ? &state.val_batch : &state.eval_batch;
      break;
    case Stage::test:
      progress = &state.eval_batch;
      break;
    case Stage::predict:
      progress = &state.predict_batch;
      break;
    case Stage::none:
      return -1;
  }
  return progress->current.ready - 1;
}

// The shortest duration of the run's Timers (max_time makes one); -1: none.
double max_time_of(const Trainer& trainer) {
  double shortest = -1;
  for (const CallbackHandle& handle : trainer.callbacks()) {
    const auto* timer = dynamic_cast<const Timer*>(handle.callback.get());
    if (timer == nullptr || !timer->duration()) continue;
    if (shortest < 0 || *timer->duration() < shortest) shortest = *timer->duration();
  }
  return shortest;
}

// What was computed last on this thread, and for which hook; kept where several instances want it.
struct Computed {
  std::uint64_t hook = 0;
  const Event* event = nullptr;   // a callback may call another one with an event of its own
  grapnel_trainer_state state{};  // without what an instance looks up for itself
};
constinit thread_local Computed computed;
std::atomic<int> instances_that_want_it = 0;

void compute(const Call& call, grapnel_trainer_state& to) {
  const Trainer& trainer = *call.trainer;
  const RunState& from = trainer.state();
  to.run = static_cast<std::int32_t>(from.kind);
  to.stage = static_cast<std::int32_t>(from.stage);
  to.sanity_checking = from.stage == Stage::sanity_check ? 1 : 0;
  to.global_step = trainer.global_step();
  to.current_epoch = trainer.current_epoch();
  to.batch_idx = batch_idx_of(from, call);
  to.max_epochs = from.max_epochs;
  to.max_steps = from.max_steps;
  to.num_training_batches = from.num_training_batches;
  to.accumulate_grad_batches = from.accumulate_grad_batches;
  to.is_last_batch = from.is_last_batch ? 1 : 0;
  to.stop_requested = from.should_stop ? 1 : 0;
  to.is_logging_step = trainer.is_logging_step() ? 1 : 0;
}

// What was computed for another instance; the rest is this one's own.
void copy_computed(grapnel_trainer_state& to) {
  const double max_time = to.max_time;
  const grapnel_string run_directory = to.run_directory;
  to = computed.state;
  to.max_time = max_time;
  to.run_directory = run_directory;
}

std::int32_t GRAPNEL_CALL state(const grapnel_host* host,
                                const grapnel_trainer_state** result) noexcept {
  return service<NoTensors>(host, "trainer.state", [&](InstanceHost& self) {
    check_output(result);
    if (!self.trainer_state_wanted) {
      instances_that_want_it.fetch_add(1, std::memory_order_relaxed);
      self.trainer_state_wanted = true;
      update_trainer_state(self);
    }
    *result = &self.trainer_state;
    return GRAPNEL_OK;
  });
}

}  // namespace

void update_trainer_state(InstanceHost& self) {
  if (self.trainer() == nullptr) return;  // create and init have no run
  const Call& call = *self.call();
  grapnel_trainer_state& to = self.trainer_state;
  if (instances_that_want_it.load(std::memory_order_relaxed) < 2) {
    compute(call, to);
  } else if (const std::uint64_t hook = hook_number();
             hook == 0 || hook != computed.hook || call.event != computed.event) {
    compute(call, to);
    computed.hook = hook;
    computed.event = call.event;
    computed.state = to;
  } else {
    copy_computed(to);
    to.stop_requested = call.trainer->state().should_stop ? 1 : 0;  // may have been asked for since
  }
  // The directory and the callbacks are expensive to look up and only change between runs and epochs.
  if (self.run_directory.empty() || !call.recurs) {
    to.max_time = max_time_of(*call.trainer);
    self.run_directory = to_utf8(path_text(std::filesystem::absolute(call.trainer->log_dir())));
    to.run_directory = to_abi(self.run_directory);
  }
}

void want_no_trainer_state(InstanceHost& self) noexcept {
  if (!std::exchange(self.trainer_state_wanted, false)) return;
  instances_that_want_it.fetch_sub(1, std::memory_order_relaxed);
}

const grapnel_trainer kTrainer = {sizeof(grapnel_trainer), 0, &state};

}  // namespace grapnel::bridge
