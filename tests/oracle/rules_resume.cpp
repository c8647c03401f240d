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

namespace {

// The on_train_batch_end of the batch at which the checkpoint was written: who had not had it, such
// as the module, which comes after the callback that saves, has it before the next batch.
Json with_rest_of_batch(Json expect, const Json& observed) {
  const Json::Array& recorded = items(get(expect, "trace"));
  const Json::Array& seen = items(get(observed, "trace"));
  size_t at = 0;
  while (at < recorded.size() && at < seen.size() && recorded[at] == seen[at]) ++at;
  if (at == 0 || at == recorded.size() ||
      !recorded[at - 1].as_string().ends_with("on_train_start()")) {
    return expect;
  }
  const std::string next = recorded[at].as_string();
  const size_t number = next.find("on_train_batch_start(batch_idx=");
  if (number == std::string::npos) return expect;
  const int64_t batch_idx = std::stoll(next.substr(next.find('=') + 1)) - 1;
  const std::string rest = ".on_train_batch_end(batch_idx=" + std::to_string(batch_idx) + ")";
  Json trace = Json::array();
  for (size_t i = 0; i < at; ++i) trace.append(recorded[i]);
  for (size_t i = at; i < seen.size() && seen[i].as_string().ends_with(rest); ++i) {
    trace.append(seen[i]);
  }
  for (size_t i = at; i < recorded.size(); ++i) trace.append(recorded[i]);
  expect.set("trace", std::move(trace));
  return expect;
}

}  // namespace

std::vector<std::string> check_exact_resume(const Case& test, const Json& observed) {
  // What depends on which data the resumed run saw is compared with a run that was never stopped;
  // everything else is as recorded.
  const Json expect =
      expect_without(test, {"weights", "train_losses", "val_losses", "callback_metrics",
                            "logged_metrics", "progress_bar_metrics", "rows", "batch_sizes"});
  std::vector<std::string> problems =
      differences(test, with_rest_of_batch(expect, observed), observed);
  ResumedRun run(test, observed);
  run.compare_end({"weights", "callback_metrics", "logged_metrics", "progress_bar_metrics"},
                  problems);
  run.compare_tails({"train_losses", "val_losses", "rows", "batch_sizes"}, problems);
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
  ResumedRun run(test, observed);
  run.compare_end({"weights", "requires_grad", "optimizers", "callback_metrics", "logged_metrics",
                   "progress_bar_metrics"},
                  problems);
  run.compare_tails({"train_losses", "val_losses", "snapshots", "rows"}, problems);
  return problems;
}

// ---- saved_state_loads

namespace {

// A fit, then an evaluation from a checkpoint.
bool fits_and_evaluates(const Case& test) {
  const std::vector<Json> calls = test.calls();
  return calls.size() == 2 && calls[0].at("call").as_string() == "fit" &&
         calls[1].at("call").as_string() != "fit" && calls[1].contains("ckpt_path");
}

// The same evaluation by a trainer of its own, or, where it has one, by the trainer that fitted.
Case evaluated_by_another(const Case& test) {
  Case other = test;
  Json calls = Json::array();
  for (Json call : test.calls()) {
    if (calls.size() == 1 && !call.erase("new_trainer")) call.set("new_trainer", Json::object());
    calls.append(std::move(call));
  }
  other.document.set("sequence", std::move(calls));
  return other;
}

void compare_evaluation(const Case& test, const Json& observed,
                        std::initializer_list<const char*> keys,
                        std::vector<std::string>& problems) {
  std::vector<std::string> log;
  const Json expected = observe_case(evaluated_by_another(test), log);
  for (const char* key : keys) {
    if (!observed.contains(key)) continue;
    if (auto found = value_difference(expected.at(key), observed.at(key), key)) {
      problems.push_back("other than by another trainer: " + *found);
    }
  }
}

}  // namespace

// What can't be loaded is the detector's window of losses, or the masks of a model that stays pruned.
bool loads_saved_state(const Case& test) {
  const Json& exception = get(test.expect(), "exception");
  if (exception.is_null() || !(fits_and_resumes(test) || fits_and_evaluates(test))) return false;
  const std::string type = text_or(exception, "type", "");
  const std::string message = text_or(exception, "message", "");
  if (int_or(exception, "at_call", -1) != 1) return false;
  const auto says = [&](const char* text) { return message.find(text) != std::string::npos; };
  return (has_callback(test, "SpikeDetection") && type == "AttributeError" &&
          says("'SpikeDetection' object has no attribute 'running'")) ||
         (has_callback(test, "ModelPruning") && type == "RuntimeError" &&
          says("Unexpected key(s) in state_dict") && says("_mask\""));
}

std::vector<std::string> check_loads(const Case& test, const Json& observed) {
  if (const Json& exception = get(observed, "exception"); !exception.is_null()) {
    return {"the second call threw " + brief(exception)};
  }
  std::vector<std::string> problems;
  if (fits_and_evaluates(test)) {
    compare_evaluation(test, observed,
                       {"weights", "masks", "val_losses", "results", "callback_metrics"}, problems);
    return problems;
  }
  ResumedRun run(test, observed);
  run.compare_end({"weights", "masks", "state_dict_keys", "final", "callbacks", "callback_metrics",
                   "logged_metrics", "progress_bar_metrics", "optimizers", "json_files"},
                  problems);
  run.compare_tails({"train_losses", "val_losses", "lrs", "snapshots", "rows", "batch_sizes"},
                    problems);
  return problems;
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
  compare_evaluation(test, observed,
                     {"weights", "val_losses", "results", "callback_metrics", "logged_metrics"},
                     problems);
  return problems;
}

// ---- refused_without_trace

namespace {

constexpr std::string_view kProgress[] = {"global_step", "current_epoch", "batches_that_stepped",
                                          "total_batch_idx"};

}  // namespace

// The last call is a fit of a new trainer, refused because its checkpoint has more epochs than that
// trains.
bool resumes_past_max_epochs(const Case& test) {
  const Json& exception = get(test.expect(), "exception");
  if (!exception.is_object() || !test.expect().contains("final")) return false;
  const std::string& message = get(exception, "message").as_string();
  const std::vector<Json> calls = test.calls();
  return message.starts_with("You restored a checkpoint with current_epoch=") && !calls.empty() &&
         calls.back().contains("new_trainer") && calls.back().contains("ckpt_path");
}

// All as recorded, but for the counters, which are those of a trainer that has done nothing.
std::vector<std::string> check_refused_without_trace(const Case& test, const Json& observed) {
  Json expect = test.expect();
  Json final_state = expect.at("final");
  const Json& seen = get(observed, "final");
  std::vector<std::string> problems;
  for (const std::string_view key : kProgress) {
    const std::string name(key);
    if (!final_state.contains(name)) continue;
    const Json& value = get(seen, name);
    if (!value.is_number() || value.as_double() > 0) {
      problems.push_back("a refused checkpoint has left final." + name);
    }
    final_state.set(name, value);
  }
  expect.set("final", std::move(final_state));
  for (std::string& problem : differences(test, expect, observed)) {
    problems.push_back(std::move(problem));
  }
  return problems;
}

}  // namespace grapnel::oracle
