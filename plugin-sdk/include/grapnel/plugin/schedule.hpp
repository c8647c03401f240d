// Factors on learning rates, on top of the run's own schedulers; ext/schedule.h has the rules.
#pragma once

#include <cstddef>

#include <grapnel/plugin/context.hpp>

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {

/// Set a step's factor in on_train_start and on_after_optimizer_step: monitors then show its rate at
/// the start of the batch. The host keeps factors in checkpoints.
class Schedule {
 public:
  explicit Schedule(detail::Context& context) noexcept : context_(&context) {}

  /// factor: finite, at least 0; 1: none. Holds until it is set again.
  void set_factor(double factor) const {  ///< for all groups of all optimizers
    set(GRAPNEL_SCHEDULE_ALL, GRAPNEL_SCHEDULE_ALL, factor);
  }
  void set_factor(std::size_t optimizer, double factor) const {  ///< for all groups of one
    set(static_cast<std::int64_t>(optimizer), GRAPNEL_SCHEDULE_ALL, factor);
  }
  void set_factor(std::size_t optimizer, std::size_t group, double factor) const {
    set(static_cast<std::int64_t>(optimizer), static_cast<std::int64_t>(group), factor);
  }
  /// This callback's own.
  double factor(std::size_t optimizer, std::size_t group) const {
    double value = 1;
    detail::check(context_->call<&grapnel_schedule::get_factor>(optimizer, group, &value),
                  "the factor on a learning rate");
    return value;
  }
  /// Of the next step: "lr" times the factors of all callbacks.
  double rate(std::size_t optimizer, std::size_t group) const {
    double value = 0;
    detail::check(context_->call<&grapnel_schedule::rate>(optimizer, group, &value),
                  "a learning rate");
    return value;
  }

 private:
  void set(std::int64_t optimizer, std::int64_t group, double factor) const {
    detail::check(context_->call<&grapnel_schedule::set_factor>(optimizer, group, factor),
                  "a factor on a learning rate");
  }

  detail::Context* context_;
};

}  // namespace GRAPNEL_PLUGIN_HIDDEN
}  // namespace grapnel::plugin
