#include "fabric/loop_position.h"

#include <array>
#include <optional>
#include <string_view>

namespace grapnel {

namespace {

// The stage that a column of hooks.def means; nothing where a hook doesn't say.
constexpr std::optional<Stage> stage_of(std::string_view name) {
  if (name == "train" || name == "fit") return Stage::train;
  if (name == "sanity") return Stage::sanity_check;
  if (name == "validation") return Stage::validate;
  if (name == "test") return Stage::test;
  if (name == "predict") return Stage::predict;
  return {};
}

std::optional<Stage> stage_of(Hook hook) {
  static constexpr std::array<std::optional<Stage>, kHookCount> stages = {
#define GRAPNEL_HOOK(id, name, EventType, stage, module) stage_of(#stage),
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
  };
  return stages[static_cast<size_t>(hook)];
}

}  // namespace

Progress& batches_of(RunState& state) {
  switch (state.stage) {
    case Stage::validate:
    case Stage::sanity_check:
      return state.val_batch;
    case Stage::test:
      return state.eval_batch;
    case Stage::predict:
      return state.predict_batch;
    default:
      return state.batch;
  }
}

void LoopPosition::enter(Hook hook, const EventArguments& arguments) {
  if (const auto stage = stage_of(hook)) state_.stage = *stage;
  const std::string_view name = kHookNames[static_cast<size_t>(hook)];
  if (name.ends_with("_epoch_start")) batches_of(state_).reset_on_run();
  if (hook == Hook::on_train_epoch_start) begin_epoch(arguments);
  const bool starts = name.ends_with("_batch_start");
  if (starts || name.ends_with("_batch_end")) count_batch(starts, arguments);
  // A step before the first call of its batch belongs to the batch to come.
  const bool to_come = !batch_open_ && is_within_training_batch(hook);
  position_.step = train_batches_ + (to_come ? 1 : 0);
  position_.fitting =
      state_.stage != Stage::sanity_check && (position_.epoch > 0 || position_.step > 0);
}

void LoopPosition::begin_epoch(const EventArguments& arguments) {
  const EventValue* given = arguments.find("epoch");
  if (given != nullptr && given->as_int()) {
    state_.epoch.current.completed = *given->as_int();
  } else if (epoch_open_) {  // the loop doesn't call on_train_epoch_end
    state_.epoch.completed();
  }
  epoch_open_ = true;
  batch_open_ = false;
  position_.epoch = state_.epoch.current.completed + 1;
}

void LoopPosition::count_batch(bool starts, const EventArguments& arguments) {
  Progress& batches = batches_of(state_);
  if (state_.stage == Stage::train && (starts || !batch_open_)) {
    ++train_batches_;
    batch_open_ = true;
  }
  const EventValue* given = arguments.find("batch_idx");
  if (given != nullptr && given->as_int()) {
    batches.current.ready = *given->as_int() + 1;
    if (!starts) batches.current.completed = batches.current.ready - 1;
  } else if (starts || batches.current.ready == batches.current.completed) {
    batches.ready();
  }
}

void LoopPosition::leave(Hook hook) {
  const std::string_view name = kHookNames[static_cast<size_t>(hook)];
  if (name.ends_with("_batch_end")) {
    batches_of(state_).current.completed = batches_of(state_).current.ready;
  }
  switch (hook) {
    case Hook::on_train_batch_end:
      batch_open_ = false;
      break;
    case Hook::on_train_epoch_end:
      state_.epoch.completed();
      epoch_open_ = false;
      break;
    case Hook::on_sanity_check_end:
    case Hook::on_validation_end:
    case Hook::on_test_end:
    case Hook::on_predict_end:
      state_.stage = Stage::train;
      break;
    default:
      break;
  }
}

}  // namespace grapnel
