#include "grapnel/callbacks/gradient_accumulation_scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/module.h"
#include "grapnel/trainer.h"

namespace grapnel {

namespace {

constexpr double kMost = 1e15;  // batches; whole numbers up to this are exact

struct WholeNumbers : OptionType<std::map<int64_t, double>> {
  static AccumulationSchedule read(const ConfigValue& value) {
    AccumulationSchedule scheduling;
    for (const auto& [epoch, factor] : OptionType::read(value)) {
      if (!(std::abs(factor) <= kMost) || factor != std::floor(factor)) {
        throw ConfigError::of("",
                              "epoch {} has the factor {}; it must be a whole number up to {:.0f}",
                              epoch, factor, kMost);
      }
      scheduling[epoch] = static_cast<int64_t>(factor);
    }
    return scheduling;
  }
  static ConfigValue write(const AccumulationSchedule& scheduling) {
    return OptionType::write({scheduling.begin(), scheduling.end()});
  }
};

[[noreturn]] void refuse_schedule(const std::string& message) {
  throw ConfigError({}, "GradientAccumulationScheduler: " + message, "scheduling");
}

}  // namespace

GradientAccumulationScheduler::GradientAccumulationScheduler(AccumulationSchedule scheduling)
    : GradientAccumulationScheduler(Settings{std::move(scheduling)}) {}

GradientAccumulationScheduler::GradientAccumulationScheduler(Settings settings)
    : scheduling_(std::move(settings.scheduling)) {
  if (scheduling_.empty())
    refuse_schedule("the schedule is empty; give at least one {epoch: batches}");
  for (const auto& [epoch, factor] : scheduling_) {
    if (epoch < 0) refuse_schedule(fmt::format("epoch {} is negative; epochs count from 0", epoch));
    if (factor < 1) {
      refuse_schedule(fmt::format(
          "epoch {} has the factor {}; accepted are whole numbers from 1 on", epoch, factor));
    }
  }
  scheduling_.try_emplace(0, 1);
}

const OptionsTable<GradientAccumulationScheduler::Settings>&
GradientAccumulationScheduler::options_table() {
  using O = Settings;
  static const OptionsTable<O> table("gradient_accumulation_scheduler",
                                     "Changes accumulate_grad_batches as the epochs go by.",
                                     {option<WholeNumbers>("scheduling", &O::scheduling)
                                          .required()
                                          .at_least(1)
                                          .unit("batches")
                                          .doc("Epoch, from 0, to the batches whose gradients make "
                                               "one optimizer step from then on.")});
  return table;
}

int64_t GradientAccumulationScheduler::get_accumulate_grad_batches(int64_t epoch) const {
  const auto after = scheduling_.upper_bound(epoch);
  return after == scheduling_.begin() ? 1 : std::prev(after)->second;
}

bool GradientAccumulationScheduler::going_to_accumulate_grad_batches() const {
  return std::any_of(scheduling_.begin(), scheduling_.end(),
                     [](const auto& entry) { return entry.second > 1; });
}

void GradientAccumulationScheduler::on_train_start(Event& event) {
  if (!event.module.automatic_optimization) {
    refuse_schedule(
        "under manual optimization the module decides when to step; remove the callback, or use "
        "automatic optimization");
  }
  // The trainer's own option, not the factor that this callback left behind in an earlier fit.
  if (event.trainer.options().accumulate_grad_batches != 1) {
    refuse_schedule(
        fmt::format("the trainer has accumulate_grad_batches={} too; remove that option or "
                    "the callback",
                    event.trainer.options().accumulate_grad_batches));
  }
  const ModuleMask& module = event.trainer.module_mask();
  if (going_to_accumulate_grad_batches() &&
      (module.has(ModuleMethod::optimizer_step) || module.has(ModuleMethod::optimizer_zero_grad))) {
    log_warning(
        "accumulate_grad_batches is not 1 in every epoch, and {} overrides optimizer_step or "
        "optimizer_zero_grad: these are called once per optimizer step, not for every batch",
        event.module.type_name());
  }
  // A run that is resumed within an epoch has no on_train_epoch_start for it.
  on_train_epoch_start(event);
}

void GradientAccumulationScheduler::on_train_epoch_start(Event& event) {
  event.trainer.set_accumulate_grad_batches(
      get_accumulate_grad_batches(event.trainer.current_epoch()));
}

}  // namespace grapnel
