#include "not_yet.h"

#include <vector>

namespace grapnel::random_test {

namespace {

struct ByPlan {
  const char* reason;
  bool (*applies)(const Plan& plan);
};
struct ByFacts {
  const char* reason;
  bool (*applies)(const Plan& plan, const Facts& facts);
};
struct ByDifference {
  const char* reason;
  bool (*applies)(const Difference& difference, const Plan& plan, const Facts& facts);
};

// From training_step to the optimizer's update; with two optimizers, which training_step itself steps,
// to its end.
bool is_within_step(const std::string& hook, const Plan& plan) {
  return hook == "on_before_zero_grad" || hook == "on_before_backward" ||
         hook == "on_after_backward" || hook == "on_before_optimizer_step" ||
         (hook == "on_after_optimizer_step" && plan.has("model.optimizers"));
}

// clang-format off

// One line for each.
const std::vector<ByPlan> kPlans = {
};

const std::vector<ByFacts> kFacts = {
    {"a stop within an epoch by a callback that doesn't request it again is over when it was carried out: the rest of the epoch is trained",
     [](const Plan& plan, const Facts& facts) { return facts.at_own_stop && (plan.has("plugins.loss_limit") || plan.has("plugins.nan_guard")); }},
    {"a batch that fails half-way has changed the statistics of batch normalizations, and an accumulation window is done again as a whole",
     [](const Plan& plan, const Facts& facts) { return facts.stop.kind == "exception" && is_within_step(facts.stop.hook, plan) && (plan.has("model.batch_norm") || plan.has("model.optimizers") || plan.has("trainer.accumulate_grad_batches") || plan.has("callbacks.gradient_accumulation_scheduler")); }},
};

const std::vector<ByDifference> kDifferences = {
};

// clang-format on

}  // namespace

std::optional<std::string> not_exact_yet(const Plan& plan, const Facts* facts) {
  for (const ByPlan& line : kPlans) {
    if (line.applies(plan)) return line.reason;
  }
  if (facts == nullptr) return {};
  for (const ByFacts& line : kFacts) {
    if (line.applies(plan, *facts)) return line.reason;
  }
  return {};
}

bool is_not_looked_at_yet(const Difference& difference, const Plan& plan, const Facts& facts) {
  for (const ByDifference& line : kDifferences) {
    if (line.applies(difference, plan, facts)) return true;
  }
  return false;
}

}  // namespace grapnel::random_test
