#include "probe.h"

#include <fmt/format.h>
#include <grapnel/trainer.h>

#include <string_view>
#include <type_traits>
#include <utility>

namespace grapnel::random_test {

namespace {

// The checkpoint that a run is resumed from may be written between the two hooks of another one.
bool is_of_checkpoints(std::string_view hook) {
  return hook == "on_save_checkpoint" || hook == "on_checkpoint_written" ||
         hook == "on_load_checkpoint";
}

}  // namespace

void Probe::at(std::string hook, int64_t call, std::function<void(Trainer&)> action) {
  hook_ = std::move(hook);
  call_ = call;
  action_ = std::move(action);
}

template <class EventType>
void Probe::note(const char* hook, EventType& event) {
  const std::string_view name = hook;
  Trainer& trainer = event.trainer;
  if (trainer.state().kind != RunKind::fit || trainer.sanity_checking()) return;
  if (name == "on_train_end") training_ = false;
  if constexpr (std::is_same_v<EventType, TrainBatchStart>) {
    const bool again = trainer.current_epoch() == last_epoch_ && event.batch_idx == last_batch_;
    if (!again) clock_.advance(1);
    last_epoch_ = trainer.current_epoch();
    last_batch_ = event.batch_idx;
  }
  if (training_ && !is_of_checkpoints(name)) {
    std::string line =
        fmt::format("{} epoch {} step {}", hook, trainer.current_epoch(), trainer.global_step());
    if constexpr (requires { event.batch_idx; }) line += fmt::format(" batch {}", event.batch_idx);
    if constexpr (requires { event.dataloader_idx; }) {
      line += fmt::format(" loader {}", event.dataloader_idx);
    }
    if constexpr (requires { event.outputs.loss_value(); }) {
      if (const auto loss = event.outputs.loss_value()) line += fmt::format(" loss {:.9g}", *loss);
    }
    if (name == "on_train_batch_start") {
      for (const auto& optimizer : trainer.optimizers()) {
        for (const ParamGroup& group : optimizer->groups()) {
          line += fmt::format(" lr {:.9g}", group.options.at("lr"));
        }
      }
    }
    trace_.push_back(std::move(line));
  }
  if (name == "on_train_start") training_ = true;
  const int64_t call = ++calls_[hook];
  if (action_ && name == hook_ && call >= call_) std::exchange(action_, {})(trainer);
}

#define GRAPNEL_HOOK(id, name, EventType, stage, module) \
  void Probe::name(EventType& event) {                   \
    note(#name, event);                                  \
  }
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK

StateDict Probe::state_dict() const {
  StateDict calls;
  for (const auto& [hook, count] : calls_) calls[hook] = count;
  return {{"position", resumed_at_ + static_cast<int64_t>(trace_.size())},
          {"calls", calls},
          {"last_epoch", last_epoch_},
          {"last_batch", last_batch_}};
}

void Probe::load_state_dict(const StateDict& state) {
  resumed_at_ = state.at("position").to_int();
  last_epoch_ = state.at("last_epoch").to_int();
  last_batch_ = state.at("last_batch").to_int();
  for (const auto& [hook, count] : state.at("calls").to_dict()) calls_[hook] = count.to_int();
}

int64_t Probe::calls(const std::string& hook) const {
  const auto found = calls_.find(hook);
  return found == calls_.end() ? 0 : found->second;
}

void CallCounter::on_train_batch_end(TrainBatchEnd& event) {
  ++batches_;
  log(event, "counted_batches", batches_);
}
void CallCounter::on_validation_end(Event& event) {
  if (!event.trainer.sanity_checking()) ++validations_;
}
void CallCounter::on_train_epoch_end(Event& event) {
  ++epochs_;
  log(event, "counted_epochs", epochs_);
}
StateDict CallCounter::state_dict() const {
  return {{"batches", batches_}, {"validations", validations_}, {"epochs", epochs_}};
}
void CallCounter::load_state_dict(const StateDict& state) {
  batches_ = state.at("batches").to_int();
  validations_ = state.at("validations").to_int();
  epochs_ = state.at("epochs").to_int();
}

}  // namespace grapnel::random_test
