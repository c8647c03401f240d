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

bool has_sanity_check(const Plan& plan) {
  return plan.integer("trainer.num_sanity_val_steps", 2) != 0 && plan.has("data.validation");
}

// Resumed at the end of an epoch, and so with a sanity check before that end is finished.
bool sanity_check_comes_between(const Plan& plan, const Facts& facts) {
  return has_sanity_check(plan) && facts.was_at_epoch_end;
}

// Stop requests are granted later only.
bool is_deferred(const Plan& plan) {
  return plan.has("trainer.min_epochs") || plan.has("trainer.min_steps");
}

// From training_step to the optimizer's update.
bool is_within_step(const std::string& hook) {
  return hook == "on_before_zero_grad" || hook == "on_before_backward" ||
         hook == "on_after_backward" || hook == "on_before_optimizer_step";
}

// clang-format off

// One line for each.
const std::vector<ByPlan> kPlans = {
    {"\"every n steps\" never comes, or not evenly, when each batch makes two steps",
     [](const Plan& plan) { return plan.has("model.optimizers") && (plan.has("callbacks.ema_weight_averaging") || plan.has("callbacks.counter.every")); }},
};

const std::vector<ByFacts> kFacts = {
    {"the rest of an epoch that a limit or a stop request ended is never trained",
     [](const Plan&, const Facts& facts) { return facts.cut_short; }},
    {"the stop that a callback asked for is forgotten when the checkpoint was written before it was granted",
     [](const Plan& plan, const Facts& facts) { return facts.ended_by_request && (facts.in_last_epoch || is_deferred(plan)); }},
    {"a checkpoint written in on_train_batch_end lacks what the module does there, which comes later",
     [](const Plan& plan, const Facts& facts) { return facts.from_checkpoint && (plan.has("model.log_at_batch_end") || plan.has("model.end_epoch_at") || plan.has("model.evaluate_at")); }},
    {"after a signal within an epoch everything is logged one step late",
     [](const Plan&, const Facts& facts) { return facts.stop.kind == "interrupt" && facts.within_epoch; }},
    {"the sanity check of a resumed run wipes the metrics that are monitored at the epoch's end",
     [](const Plan& plan, const Facts& facts) { return sanity_check_comes_between(plan, facts) && (plan.text("scheduler.name", "") == "ReduceLROnPlateau" || plan.has("callbacks.early_stopping") || plan.has("callbacks.model_checkpoint")); }},
    {"a callback behind the one that fails in a hook never has that call",
     [](const Plan& plan, const Facts& facts) { return facts.stop.kind == "exception" && facts.stop.hook != "on_train_batch_start" && is_followed(plan); }},
    {"a run that its own max_steps has ended begins one more epoch when it is resumed",
     [](const Plan& plan, const Facts& facts) { return facts.in_last_epoch && plan.has("trainer.max_steps"); }},
    {"a failure after the optimizer's step makes the resumed run do that step once more",
     [](const Plan&, const Facts& facts) { return facts.stop.kind == "exception" && facts.stop.hook == "on_after_optimizer_step"; }},
    {"what a batch that fails half-way had logged, drawn and counted comes once more when it is repeated",
     [](const Plan&, const Facts& facts) { return facts.stop.kind == "exception" && is_within_step(facts.stop.hook); }},
    {"a batch that fails half-way counts twice for check_val_every_n_epoch=null",
     [](const Plan& plan, const Facts& facts) { return facts.stop.kind == "exception" && facts.stop.hook == "on_train_batch_start" && plan.has("trainer.check_val_every_n_epoch"); }},
};

const std::vector<ByDifference> kDifferences = {
    {"the sanity check of a resumed run wipes the metrics of earlier epochs",
     [](const Difference& difference, const Plan& plan, const Facts& facts) { return sanity_check_comes_between(plan, facts) && (difference.what == "metrics" || difference.text.starts_with("exact_resume.visible_metrics")); }},
    {"temporary files and checkpoints of a process that was killed stay",
     [](const Difference& difference, const Plan&, const Facts& facts) { return facts.stop.kind.starts_with("kill") && difference.what == "files" && difference.text.ends_with("is there only after the resume"); }},
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
