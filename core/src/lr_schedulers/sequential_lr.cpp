#include "grapnel/lr_schedulers/sequential_lr.h"

#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"
#include "lr_schedulers/count_in_state.h"

namespace grapnel {

namespace {

std::shared_ptr<ScheduledLR> checked(const Optimizer& optimizer,
                                     const std::shared_ptr<LRScheduler>& scheduler, size_t index) {
  const auto refuse = [index](const std::string& why) {
    throw ConfigError::of("", "SequentialLR: scheduler {} {}", index, why);
  };
  if (scheduler == nullptr) refuse("is null");
  auto counted = std::dynamic_pointer_cast<ScheduledLR>(scheduler);
  if (counted == nullptr) {
    refuse(scheduler->wants_metric()
               ? fmt::format("is a {}, which needs a metric at each step", scheduler->type_name())
               : fmt::format("is a {}; put its schedulers into this list instead",
                             scheduler->type_name()));
  }
  if (&scheduler->optimizer() != &optimizer) {
    refuse(fmt::format("({}) belongs to another optimizer", scheduler->type_name()));
  }
  return counted;
}

}  // namespace

SequentialLR::SequentialLR(std::shared_ptr<Optimizer> optimizer_of_it,
                           std::vector<std::shared_ptr<LRScheduler>> schedulers,
                           std::vector<int64_t> milestones)
    : LRScheduler(std::move(optimizer_of_it)), milestones_(std::move(milestones)) {
  if (schedulers.empty() || milestones_.size() + 1 != schedulers.size()) {
    throw ConfigError::of("",
                          "SequentialLR: {} schedulers were given with {} milestones; there must "
                          "be one milestone fewer than schedulers",
                          schedulers.size(), milestones_.size());
  }
  if (!std::is_sorted(milestones_.begin(), milestones_.end())) {
    throw ConfigError({}, "SequentialLR: the milestones must be in rising order");
  }
  for (size_t i = 0; i < schedulers.size(); ++i) {
    schedulers_.push_back(checked(optimizer(), schedulers[i], i));
  }
  // Making the schedulers has already performed the initial step of each. Undo all of them and
  // begin with the first alone.
  for (ParamGroup& group : optimizer().groups()) {
    group.options["lr"] = group.options.at("initial_lr");
  }
  for (const auto& scheduler : schedulers_) scheduler->undo_initial_step();
  schedulers_[active(0)]->initial_step();
}

const OptionsTable<SequentialLROptions>& SequentialLR::options_table() {
  using O = SequentialLROptions;
  static const OptionsTable<SequentialLROptions> table(
      "SequentialLR", "Schedulers one after the other.",
      {option("schedulers", &O::schedulers)
           .required()
           .doc("A list of schedulers, each with its name and parameters."),
       option("milestones", &O::milestones)
           .required()
           .at_least(0)
           .unit("steps")
           .doc("When the next one starts.")});
  return table;
}

size_t SequentialLR::active(int64_t epoch) const {
  return static_cast<size_t>(std::upper_bound(milestones_.begin(), milestones_.end(), epoch) -
                             milestones_.begin());
}

void SequentialLR::step(std::optional<double> /*metric*/) {
  ++last_epoch_;
  const size_t i = active(last_epoch_);
  if (i > 0 && milestones_[i - 1] == last_epoch_) {
    schedulers_[i]->step_to(0);
  } else {
    schedulers_[i]->step();
  }
}

StateDict SequentialLR::state_dict() const {
  StateList states;
  for (const auto& scheduler : schedulers_) states.emplace_back(scheduler->state_dict());
  return {{"type", type_name()}, {"last_epoch", last_epoch_}, {"schedulers", std::move(states)}};
}

void SequentialLR::load_state_dict(const StateDict& state) {
  const int64_t last_epoch = count_in(state, "last_epoch", type_name());
  const StateList& states = state.at("schedulers").to_list();
  if (states.size() != schedulers_.size()) {
    throw CheckpointError(
        {}, fmt::format("the state of SequentialLR has {} schedulers, here are {}", states.size(),
                        schedulers_.size()));
  }
  std::vector<StateDict> before;
  for (const auto& scheduler : schedulers_) before.push_back(scheduler->state_dict());
  try {
    for (size_t i = 0; i < states.size(); ++i) schedulers_[i]->load_state_dict(states[i].to_dict());
  } catch (...) {
    for (size_t i = 0; i < before.size(); ++i) schedulers_[i]->load_state_dict(before[i]);
    throw;
  }
  last_epoch_ = last_epoch;
}

}  // namespace grapnel
