#include "expectations.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

namespace grapnel::random_test {

namespace {

bool moved(const Ending& ending) {
  for (const auto& [name, first] : ending.first_weights) {
    for (const auto& [other, last] : ending.weights) {
      if (name == other && !at::equal(first.to(last.scalar_type()), last)) return true;
    }
  }
  return false;
}

// Steps per call of the filter {"every": {"steps": n}} on the counter, without any other condition.
int64_t steps_between_calls(const Plan& plan) {
  const ConfigValue* filter = find_by_path(plan.document, "callbacks.counter");
  if (filter == nullptr || filter->size() != 1) return 0;
  return plan.integer("callbacks.counter.every.steps", 0);
}

}  // namespace

std::vector<Difference> unmet_expectations(const Plan& plan, const Ending& ending) {
  std::vector<Difference> found;
  // Pruning may set what was trained back to its first values.
  if (ending.global_step > 0 && !plan.has("callbacks.model_pruning") &&
      !plan.has("callbacks.early_stopping") && !plan.has("model.skip_step_every") &&
      !moved(ending)) {
    found.push_back(
        {"expectation", fmt::format("the model has its first weights after {} optimizer steps",
                                    ending.global_step)});
  }
  const int64_t every = steps_between_calls(plan);
  const auto counted = ending.metrics.find("counted_batches");
  if (every > 0 && ending.global_step >= 2 * every && counted == ending.metrics.end()) {
    found.push_back(
        {"expectation", fmt::format("a callback for every {} steps was never called in {} steps",
                                    every, ending.global_step)});
  }
  return found;
}

}  // namespace grapnel::random_test
