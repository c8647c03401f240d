#include "rules_resume.h"

#include <algorithm>

#include "compare.h"
#include "rule_parts.h"
#include "run_case.h"
#include "values.h"

namespace grapnel::oracle {

// ---- resume_mid_epoch

// A fit, then another fit from a checkpoint, and something that saves within an epoch.
bool resumes_mid_epoch(const Case& test) {
  if (!fits_and_resumes(test)) return false;
  for (const Json& spec : items(test.callbacks())) {
    for (const char* key : {"every_n_train_steps", "train_time_interval", "save_on_exception"}) {
      if (!argument(spec, key).is_null()) return true;
    }
  }
  const Json::Array& script = items(get(test.document, "script"));
  return has_callback(test, "OnExceptionCheckpoint") ||
         std::any_of(script.begin(), script.end(), [](const Json& action) {
           return text_or(action, "do", "") == "save_checkpoint";
         });
}

std::vector<std::string> check_exact_resume(const Case& test, const Json& observed) {
  // What depends on which data the resumed run saw is compared with a run that was never stopped;
  // everything else is as recorded.
  std::vector<std::string> problems = differences(
      test,
      expect_without(test, {"weights", "train_losses", "val_losses", "callback_metrics",
                            "logged_metrics", "progress_bar_metrics", "rows", "batch_sizes"}),
      observed);
  std::vector<std::string> log;
  const Json whole = observe_case(uninterrupted(test), log);
  for (const char* key : {"weights", "callback_metrics"}) {
    if (!observed.contains(key)) continue;
    if (auto found = value_difference(whole.at(key), observed.at(key), key)) {
      problems.push_back("other than without the interruption: " + *found);
    }
  }
  // The losses of the resumed run are the last ones of the whole.
  if (observed.contains("train_losses")) {
    const Json::Array& all = whole.at("train_losses").as_array();
    const Json::Array& ours = observed.at("train_losses").as_array();
    if (all.empty() || ours.size() < all.size()) {
      problems.push_back("fewer losses than without the interruption");
    } else if (auto found = value_difference(all.back(), ours.back(), "the last loss")) {
      problems.push_back("other than without the interruption: " + *found);
    }
  }
  return problems;
}

// ---- changes_of_the_model_go_on

bool resumes_changed_model(const Case& test) {
  const bool changes = has_callback(test, "BackboneFinetuning") ||
                       has_callback(test, "PlanFinetuning") || has_callback(test, "ModelPruning");
  return changes && fits_and_resumes(test) && get(test.expect(), "exception").is_null();
}

// What was unfrozen or pruned stays so: the end is that of one fit without a stop. All that doesn't
// follow from which parameters are trained is as recorded.
std::vector<std::string> check_changes_go_on(const Case& test, const Json& observed) {
  std::vector<std::string> problems = differences(
      test,
      expect_without(test, {"weights", "train_losses", "val_losses", "requires_grad", "snapshots",
                            "callback_metrics", "logged_metrics", "progress_bar_metrics", "rows"}),
      observed);
  std::vector<std::string> log;
  const Json whole = observe_case(uninterrupted(test), log);
  for (const char* key : {"weights", "requires_grad", "optimizers", "callback_metrics"}) {
    if (!observed.contains(key)) continue;
    if (auto found = value_difference(whole.at(key), observed.at(key), key)) {
      problems.push_back("other than without the interruption: " + *found);
    }
  }
  return problems;
}

// ---- resume_with_max_steps

bool resumes_with_max_steps(const Case& test) {
  if (!fits_and_resumes(test) || !get(test.expect(), "exception").is_null()) return false;
  const Json& steps = get(uninterrupted(test).trainer(), "max_steps");
  return steps.is_integer() && steps.as_int() >= 0;
}

// The weights are those of a run that was never stopped, or, where nothing was left to do, the
// checkpoint's.
std::vector<std::string> check_every_epoch_trained(const Case& test, const Json& observed) {
  if (const Json& exception = get(observed, "exception"); !exception.is_null()) {
    return {"the resumed run threw " + brief(exception)};
  }
  std::vector<std::string> log;
  const Json whole = observe_case(uninterrupted(test), log);
  const auto steps = [](const Json& of) { return get(get(of, "final"), "global_step"); };
  const bool same_end = steps(whole) == steps(observed);
  if (!same_end && steps(observed) != steps(test.expect())) {
    return {"it ends at step " + brief(steps(observed)) + ", without the interruption at step " +
            brief(steps(whole))};
  }
  const Json& expected = same_end ? whole : test.expect();
  std::vector<std::string> problems;
  for (const char* key : {"weights", "callback_metrics"}) {
    if (!observed.contains(key)) continue;
    if (auto found = value_difference(get(expected, key), observed.at(key), key)) {
      problems.push_back("other than without the interruption: " + *found);
    }
  }
  return problems;
}

// ---- saved_state_loads

bool loads_saved_state(const Case& test) {
  const Json& exception = get(test.expect(), "exception");
  const std::vector<Json> calls = test.calls();
  const bool resumes = std::any_of(calls.begin(), calls.end(),
                                   [](const Json& call) { return call.contains("ckpt_path"); });
  if (exception.is_null() || !resumes) return false;
  const std::string type = text_or(exception, "type", "");
  if (has_callback(test, "SpikeDetection")) return type == "AttributeError";
  return has_callback(test, "ModelPruning") && type == "RuntimeError" &&
         text_or(exception, "message", "").find("_mask") != std::string::npos;
}

std::vector<std::string> check_loads(const Case&, const Json& observed) {
  const Json& exception = get(observed, "exception");
  if (exception.is_null()) return {};
  return {"the resumed run threw " + brief(exception)};
}

// ---- average_is_evaluated

namespace {

bool averages_weights(const Case& test) {
  return has_callback(test, "WeightAveraging") || has_callback(test, "EMAWeightAveraging") ||
         has_callback(test, "TableWeightAveraging");
}

}  // namespace

// After a fit, by the same trainer, from a checkpoint.
bool evaluates_average(const Case& test) {
  const std::vector<Json> calls = test.calls();
  return averages_weights(test) && calls.size() == 2 && calls[0].at("call").as_string() == "fit" &&
         calls[1].at("call").as_string() != "fit" && !calls[1].contains("new_trainer") &&
         calls[1].contains("ckpt_path") && get(test.expect(), "exception").is_null();
}

// As a trainer that knows of no fit evaluates that checkpoint; the training is as recorded.
std::vector<std::string> check_average_evaluated(const Case& test, const Json& observed) {
  std::vector<std::string> problems =
      differences(test,
                  expect_without(test, {"weights", "val_losses", "snapshots", "results", "rows",
                                        "callbacks", "callback_metrics", "logged_metrics",
                                        "progress_bar_metrics", "warnings", "final"}),
                  observed);
  Case other = test;
  Json calls = Json::array();
  for (Json call : test.calls()) {
    if (calls.size() == 1) call.set("new_trainer", Json::object());
    calls.append(std::move(call));
  }
  other.document.set("sequence", std::move(calls));
  std::vector<std::string> log;
  const Json expected = observe_case(other, log);
  for (const char* key : {"weights", "val_losses", "results"}) {
    if (!observed.contains(key)) continue;
    if (auto found = value_difference(expected.at(key), observed.at(key), key)) {
      problems.push_back("other than by a trainer of its own: " + *found);
    }
  }
  return problems;
}

}  // namespace grapnel::oracle
