// Extension schedule: factors on learning rates, which core asks for at every step.
#include <grapnel/ext/schedule.h>

#include <fmt/format.h>

#include <cmath>

#include <grapnel/optimizer.h>
#include <grapnel/trainer.h>

#include "../instance_host.h"
#include "extensions.h"

namespace grapnel::bridge {

const char* RateFactors::fault(const StateValue& state) {
  constexpr const char* kForm = "its 'rate_factors' are not a list of optimizer, group and factor";
  if (!state.is_list()) return kForm;
  for (const StateValue& item : state.to_list()) {
    if (!item.is_list() || item.to_list().size() != 3) return kForm;
    const StateList& parts = item.to_list();
    if (!parts[0].is_int() || !parts[1].is_int() || !parts[2].is_double()) return kForm;
    const double factor = parts[2].to_double();
    if (!std::isfinite(factor) || factor < 0) {
      return "one of its 'rate_factors' is not a finite number of at least 0";
    }
  }
  return "";
}

void RateFactors::load(const StateValue& state) {
  factors_.clear();
  for (const StateValue& item : state.to_list()) {
    const StateList& parts = item.to_list();
    factors_[{parts[0].to_int(), parts[1].to_int()}] = parts[2].to_double();
  }
}

namespace {

bool has_group(const Trainer& trainer, std::uint64_t optimizer, std::uint64_t group) {
  const auto& all = trainer.optimizers();
  return optimizer < all.size() && group < all[optimizer]->groups().size();
}

// A number, or GRAPNEL_SCHEDULE_ALL.
bool exists(const Trainer& trainer, std::int64_t optimizer, std::int64_t group) {
  if (optimizer == GRAPNEL_SCHEDULE_ALL) return true;
  return has_group(trainer, static_cast<std::uint64_t>(optimizer),
                   group == GRAPNEL_SCHEDULE_ALL ? 0 : static_cast<std::uint64_t>(group));
}

std::int32_t GRAPNEL_CALL set_factor(const grapnel_host* host, std::int64_t optimizer,
                                     std::int64_t group, double factor) noexcept {
  return service<NoTensors>(host, "schedule.set_factor", [&](InstanceHost& self) {
    if (!std::isfinite(factor) || factor < 0) {
      throw ContractBreach{
          fmt::format("the factor {} is not a finite number of at least 0", factor)};
    }
    if (optimizer == GRAPNEL_SCHEDULE_ALL && group != GRAPNEL_SCHEDULE_ALL) {
      throw ContractBreach{"of all optimizers, the group must be GRAPNEL_SCHEDULE_ALL too"};
    }
    if (self.trainer() == nullptr) return GRAPNEL_NOT_NOW;
    if (!exists(*self.trainer(), optimizer, group)) return GRAPNEL_NOT_FOUND;
    self.keep_beginning();
    self.rate_factors.set(optimizer, group, factor);
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL get_factor(const grapnel_host* host, std::uint64_t optimizer,
                                     std::uint64_t group, double* factor) noexcept {
  return service<NoTensors>(host, "schedule.get_factor", [&](InstanceHost& self) {
    check_output(factor);
    if (self.trainer() == nullptr) return GRAPNEL_NOT_NOW;
    if (!has_group(*self.trainer(), optimizer, group)) return GRAPNEL_NOT_FOUND;
    *factor = self.rate_factors.get(optimizer, group);
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL rate(const grapnel_host* host, std::uint64_t optimizer,
                               std::uint64_t group, double* result) noexcept {
  return service<NoTensors>(host, "schedule.rate", [&](InstanceHost& self) {
    check_output(result);
    if (self.trainer() == nullptr) return GRAPNEL_NOT_NOW;
    if (!has_group(*self.trainer(), optimizer, group)) return GRAPNEL_NOT_FOUND;
    *result = self.trainer()->learning_rate(optimizer, group);
    return GRAPNEL_OK;
  });
}

}  // namespace

const grapnel_schedule kSchedule = {sizeof(grapnel_schedule), 0, &set_factor, &get_factor, &rate};

}  // namespace grapnel::bridge
