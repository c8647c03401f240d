#include "grapnel/lr_schedulers/scheduled_lr.h"

#include <fmt/format.h>

#include <cmath>

#include "grapnel/base/error.h"
#include "lr_schedulers/count_in_state.h"
#include "values/float_limits.h"
#include "values/type_name.h"

namespace grapnel {

ScheduledLR::ScheduledLR(std::shared_ptr<Optimizer> optimizer)
    : LRScheduler(std::move(optimizer)) {}

std::string ScheduledLR::type_name() const {
  return unqualified_name(typeid(*this));
}

void ScheduledLR::initial_step() {
  base_lrs();
  step_count_ = 0;
  is_initial_ = true;
  step();
  is_initial_ = false;
}

void ScheduledLR::step(std::optional<double> /*metric*/) {
  ++step_count_;
  ++last_epoch_;
  write_lrs(get_lr());
}

void ScheduledLR::step_to(int64_t epoch) {
  last_epoch_ = epoch;
  write_lrs(closed_form_lr());
}

const std::vector<double>& ScheduledLR::base_lrs() {
  std::vector<ParamGroup>& groups = optimizer().groups();
  while (base_lrs_.size() < groups.size()) {
    auto& options = groups[base_lrs_.size()].options;
    base_lrs_.push_back(options.emplace("initial_lr", options.at("lr")).first->second);
  }
  return base_lrs_;
}

std::vector<double> ScheduledLR::scaled_lrs(double factor) const {
  std::vector<double> rates = present_lrs();
  for (double& rate : rates) rate *= factor;
  return rates;
}

void ScheduledLR::write_lrs(const std::vector<double>& rates) {
  std::vector<ParamGroup>& groups = optimizer().groups();
  for (size_t i = 0; i < groups.size() && i < rates.size(); ++i) {
    if (!(std::abs(rates[i]) <= kLargestFloat)) {
      throw ConfigError::of("lr",
                            "{}: the learning rate of step {} would be {}; it must be at most {}, "
                            "above which float32 is infinite",
                            type_name(), last_epoch_, rates[i], kLargestFloat);
    }
    groups[i].options["lr"] = rates[i];
  }
}

StateDict ScheduledLR::state_dict() const {
  return {{"type", type_name()},
          {"last_epoch", last_epoch_},
          {"step_count", step_count_},
          {"base_lrs", StateList(base_lrs_.begin(), base_lrs_.end())}};
}

void ScheduledLR::load_state_dict(const StateDict& state) {
  if (const StateValue* type = state.find("type"); type && type->to_string() != type_name()) {
    throw CheckpointError(
        {}, fmt::format("the state of {} was written by {}", type_name(), type->to_string()));
  }
  std::vector<double> rates;
  for (const StateValue& rate : state.at("base_lrs").to_list()) {
    rates.push_back(rate.to_double());
    if (!std::isfinite(rates.back())) {
      throw CheckpointError({}, fmt::format("the state of {} has the rate {} in 'base_lrs'",
                                            type_name(), rates.back()));
    }
  }
  if (rates.size() > optimizer().groups().size()) {
    throw CheckpointError(
        {},
        fmt::format("the state of {} has rates for {} groups of parameters, the optimizer has {}",
                    type_name(), rates.size(), optimizer().groups().size()));
  }
  const int64_t last_epoch = count_in(state, "last_epoch", type_name(), -1);
  step_count_ = count_in(state, "step_count", type_name());
  last_epoch_ = last_epoch;
  base_lrs_ = std::move(rates);
}

int64_t count_in(const StateDict& state, const char* key, const std::string& type, int64_t least) {
  const int64_t count = state.at(key).to_int();
  if (count >= least) return count;
  throw CheckpointError({}, fmt::format("the state of {} has {}={}; it must be at least {}", type,
                                        key, count, least));
}

std::vector<double> per_group(const Optimizer& optimizer, std::vector<double> values,
                              const char* what) {
  const size_t groups = optimizer.groups().size();
  if (values.size() == 1) return std::vector<double>(groups, values.front());
  if (values.size() != groups) {
    throw ConfigError::of("", "{} has {} values; the optimizer has {} group{}", what, values.size(),
                          groups, groups == 1 ? "" : "s");
  }
  return values;
}

}  // namespace grapnel
