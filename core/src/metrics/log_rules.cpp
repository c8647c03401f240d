#include "metrics/log_rules.h"

#include <fmt/format.h>

#include <array>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"

namespace grapnel {

namespace {

struct Rule {
  std::string_view function;
  bool step_allowed;
  bool step_by_default;
};

// Every function that may log. Those with step_by_default log the step unless told otherwise; the
// others the epoch. What is not in this table may not log.
constexpr std::array<Rule, 27> kRules = {{
    {"on_before_backward", true, true},
    {"backward", true, true},
    {"on_after_backward", true, true},
    {"on_before_optimizer_step", true, true},
    {"on_after_optimizer_step", true, true},
    {"optimizer_step", true, true},
    {"configure_gradient_clipping", true, true},
    {"on_before_zero_grad", true, true},
    {"optimizer_zero_grad", true, true},
    {"training_step", true, true},
    {"on_train_batch_start", true, true},
    {"on_train_batch_end", true, true},
    {"on_train_start", false, false},
    {"on_train_epoch_start", false, false},
    {"on_train_epoch_end", false, false},
    {"on_validation_start", false, false},
    {"on_validation_epoch_start", false, false},
    {"on_validation_epoch_end", false, false},
    {"on_validation_batch_start", true, false},
    {"on_validation_batch_end", true, false},
    {"validation_step", true, false},
    {"on_test_start", false, false},
    {"on_test_epoch_start", false, false},
    {"on_test_epoch_end", false, false},
    {"on_test_batch_start", true, false},
    {"on_test_batch_end", true, false},
    {"test_step", true, false},
}};

}  // namespace

LogLevels resolve_log_levels(std::string_view function, std::string_view name,
                             const LogOptions& options) {
  if (function.empty()) {
    throw ConfigError({},
                      fmt::format("log('{}', ...) was called outside of the trainer's steps and "
                                  "hooks; call it from within one",
                                  name));
  }
  for (const Rule& rule : kRules) {
    if (rule.function != function) continue;
    const LogLevels levels{options.on_step.value_or(rule.step_by_default),
                           options.on_epoch.value_or(!rule.step_by_default)};
    if (levels.on_step && !rule.step_allowed) {
      throw ConfigError({},
                        fmt::format("log('{0}', on_step=true) inside {1}: only on_epoch=true is "
                                    "possible there, on_step must be false",
                                    name, function));
    }
    if (!levels.on_epoch && !rule.step_allowed) {
      throw ConfigError({},
                        fmt::format("log('{0}', on_epoch=false) inside {1}: on_epoch must be true "
                                    "there",
                                    name, function));
    }
    if (!levels.on_step && !levels.on_epoch) {
      throw ConfigError({},
                        fmt::format("log('{}', on_step=false, on_epoch=false) is not useful; turn "
                                    "one of them on",
                                    name));
    }
    return levels;
  }
  throw ConfigError({},
                    fmt::format("log('{}', ...) is not possible inside {}; log it in a step or a "
                                "batch or epoch hook of training, validation or test",
                                name, function));
}

DeviceScalar metric_scalar(const std::string& name, const LogValue& value) {
  if (const double* number = std::get_if<double>(&value.value)) return {*number};
  const at::Tensor& tensor = std::get<at::Tensor>(value.value);
  if (!tensor.defined() || tensor.numel() != 1) {
    throw MetricError(
        fmt::format("log('{}', ...) takes one number, found {}; reduce it first, for example with "
                    ".mean()",
                    name,
                    tensor.defined() ? fmt::format("a tensor with {} elements", tensor.numel())
                                     : "an undefined tensor"),
        name, {});
  }
  if (!tensor.is_floating_point()) {
    log_once("log-integer/" + name, LogLevel::warning,
             "log('{}', ...) was given an integer tensor; it is converted to floating point", name);
  }
  return DeviceScalar(tensor);
}

}  // namespace grapnel
