#include "deviations.h"

#include <algorithm>
#include <initializer_list>
#include <set>

#include "compare.h"
#include "facts.h"
#include "rule_parts.h"
#include "rules_evaluation.h"
#include "rules_max_steps.h"
#include "rules_names.h"
#include "rules_options.h"
#include "rules_resume.h"
#include "run_case.h"
#include "values.h"

namespace grapnel::oracle {
namespace {

// ---- swa_gives_back

const Json* averaging_spec(const Case& test) {
  for (const Json& spec : items(test.callbacks())) {
    if (text_or(spec, "type", "") == "StochasticWeightAveraging") return &spec;
  }
  return nullptr;
}

// The epoch to begin with, from 1, is past the last one.
bool averaging_never_begins(const Case& test) {
  const Json* spec = averaging_spec(test);
  if (spec == nullptr || !get(test.expect(), "exception").is_null()) return false;
  const Json& start = argument(*spec, "swa_epoch_start");
  const std::int64_t epochs = int_or(test.trainer(), "max_epochs", -1);
  return start.is_integer() && epochs > 0 && start.as_int() > epochs;
}

// Lightning counts an epoch for statistics that it never came to.
bool keeps_extra_epoch(const Case& test) {
  const Json& final = get(test.expect(), "final");
  return averaging_spec(test) != nullptr && final.is_object() &&
         int_or(final, "max_epochs", -1) == int_or(test.trainer(), "max_epochs", -2) + 1;
}

bool averaging_gives_back(const Case& test) {
  return averaging_never_begins(test) || keeps_extra_epoch(test);
}

std::vector<std::string> check_averaging_gives_back(const Case& test, const Json& observed) {
  Case fixed = test;
  Json expect = test.expect();
  if (keeps_extra_epoch(test)) {
    expect.find("final")->set("max_epochs", get(test.trainer(), "max_epochs"));
  }
  std::vector<std::string> problems;
  if (averaging_never_begins(test)) {
    expect.erase("weights");
    expect.erase("callbacks");
    expect.erase("snapshots");
    Json others = Json::array();
    for (const Json& spec : items(test.callbacks())) {
      if (text_or(spec, "type", "") != "StochasticWeightAveraging") others.append(spec);
    }
    fixed.document.set("callbacks", std::move(others));
    std::vector<std::string> log;
    const Json without = observe_case(fixed, log);
    if (auto found =
            value_difference(get(without, "weights"), get(observed, "weights"), "weights")) {
      problems.push_back("other than without the averaging: " + *found);
    }
  }
  for (std::string& problem : differences(test, expect, observed)) {
    problems.push_back(std::move(problem));
  }
  return problems;
}

// ---- unknown_scheduler_keys

// The first key of a scheduler's spec that is unknown; "" when all are known.
std::string unknown_scheduler_key(const Case& test) {
  static const std::set<std::string> known = {"type",      "args",    "optimizer", "interval",
                                              "frequency", "monitor", "strict",    "name"};
  for (const Json& spec : items(get(test.model(), "schedulers"))) {
    for (const auto& [key, value, line, column] : spec.as_object()) {
      if (!known.contains(key)) return key;
    }
  }
  return {};
}

bool has_unknown_scheduler_key(const Case& test) {
  return !unknown_scheduler_key(test).empty();
}

std::vector<std::string> check_key_refused(const Case& test, const Json& observed) {
  return check_config_error(observed, {unknown_scheduler_key(test)});
}

// ---- first_error_is_thrown

const Json* raise_in_on_exception(const Case& test) {
  for (const Json& action : items(get(test.document, "script"))) {
    const std::string& at = action.at("at").as_string();
    if (at.ends_with(".on_exception") && text_or(action, "do", "") == "raise") return &action;
  }
  return nullptr;
}

// It was raised in the recording, and is what Lightning threw.
bool raises_in_on_exception(const Case& test) {
  const Json* action = raise_in_on_exception(test);
  const Json& exception = get(test.expect(), "exception");
  return action != nullptr && !exception.is_null() &&
         text_or(exception, "type", "") == text_or(*action, "exc", "RuntimeError") &&
         text_or(exception, "message", "") == text_or(*action, "msg", "scripted");
}

// The script's action that raised what on_exception was called for: that of the last entry before.
// Null when the script raised nothing until then.
const Json* first_raise(const Case& test) {
  const Json* first = nullptr;
  for (const Json& entry : items(get(test.expect(), "trace"))) {
    const std::string& text = entry.as_string();
    if (text.find(".on_exception(") != std::string::npos) break;
    for (const Json& action : items(get(test.document, "script"))) {
      if (text_or(action, "do", "") != "raise") continue;
      if (text.starts_with(action.at("at").as_string() + "(")) first = &action;
    }
  }
  return first;
}

// What is thrown is not what on_exception raised, but what it was called for.
std::vector<std::string> check_thrown_first(const Case& test, const Json& observed) {
  const Json& exception = get(observed, "exception");
  if (exception.is_null()) return {"expected the first error, got none"};
  const Json* first = first_raise(test);
  if (first == nullptr) return {"the script raises nothing before on_exception"};
  Json expected = Json::object();
  const std::string type = text_or(*first, "exc", "RuntimeError");
  const bool interrupt = type == "KeyboardInterrupt";  // ends with an exit code
  expected.set("type", interrupt ? "SystemExit" : type);
  expected.set("message", interrupt ? "1" : text_or(*first, "msg", "scripted"));
  expected.set("at_call", get(get(test.expect(), "exception"), "at_call"));
  Json expect = Json::object();
  expect.set("exception", std::move(expected));
  return differences(test, expect, observed);
}

std::vector<std::string> check_first_error(const Case& test, const Json& observed) {
  // The run ends in order: it is in no stage any more.
  Json expected = expect_without(test, {"exception", "trace"});
  if (Json* final = expected.find("final"); final != nullptr && final->is_object()) {
    final->set("stage", Json());
  }
  std::vector<std::string> problems = differences(test, expected, observed);
  for (std::string& problem : check_thrown_first(test, observed)) {
    problems.push_back(std::move(problem));
  }
  // The trace goes on with the other callbacks' on_exception, and with nothing else.
  const Json::Array& recorded = items(get(test.expect(), "trace"));
  const Json::Array& ours = items(get(observed, "trace"));
  Json beginning = Json::array();
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (i < recorded.size()) {
      beginning.append(ours[i]);
    } else if (ours[i].as_string().find(".on_exception(") == std::string::npos) {
      problems.push_back("after the error: " + ours[i].as_string());
    }
  }
  Json expect = Json::object();
  expect.set("trace", Json(recorded));
  Json got = Json::object();
  got.set("trace", std::move(beginning));
  for (std::string& problem : differences(test, expect, got))
    problems.push_back(std::move(problem));
  return problems;
}

// ---- batch_size_without_val_data

// A validation_step and no data for it, where Lightning's finder fails when it makes the loaders anew.
bool finder_lacks_val_data(const Case& test) {
  const Json& exception = get(test.expect(), "exception");
  return has_callback(test, "BatchSizeFinder") && !exception.is_null() &&
         !test.data().contains("val") &&
         text_or(exception, "message", "").find("val_dataloader") != std::string::npos;
}

std::vector<std::string> check_searches_without_val_data(const Case& test, const Json& observed) {
  if (const Json& exception = get(observed, "exception"); !exception.is_null()) {
    return {"the search threw " + brief(exception)};
  }
  // As for a module that has no validation_step at all.
  Case plain = test;
  Json model = test.model();
  Json without = Json::array();
  for (const Json& name : items(get(model, "without"))) without.append(name);
  without.append("validation_step");
  model.set("without", std::move(without));
  plain.document.set("model", std::move(model));
  std::vector<std::string> log;
  const Json expected = observe_case(plain, log);
  std::vector<std::string> problems;
  for (const char* key : {"batch_sizes", "batch_size_attr", "callbacks", "final", "weights"}) {
    if (!observed.contains(key)) continue;
    if (auto found = value_difference(expected.at(key), observed.at(key), key)) {
      problems.push_back("other than without a validation_step: " + *found);
    }
  }
  return problems;
}

// ---- search_in_a_later_epoch

// The spec of the finder that searches within the fit, when it does so after the first epoch.
const Json* later_search(const Case& test) {
  for (const Json& spec : items(test.callbacks())) {
    if (text_or(spec, "type", "") != "MyLRFinder") continue;
    for (const Json& epoch : items(argument(spec, "milestones"))) {
      if (epoch.as_int() > 0) return &spec;
    }
  }
  return nullptr;
}

bool searches_in_a_later_epoch(const Case& test) {
  return later_search(test) != nullptr && get(test.expect(), "exception").is_null();
}

// The last search has as many rates as there are whole accumulation windows until its steps or the
// epochs are over.
std::vector<std::string> check_later_search(const Case& test, const Json& observed) {
  if (const Json& exception = get(observed, "exception"); !exception.is_null()) {
    return {"the search threw " + brief(exception)};
  }
  const Json& spec = *later_search(test);
  const std::int64_t max_epochs = int_or(test.trainer(), "max_epochs", 1);
  const std::int64_t window = int_or(test.trainer(), "accumulate_grad_batches", 1);
  std::int64_t epoch = 0;
  for (const Json& milestone : items(argument(spec, "milestones"))) {
    if (milestone.as_int() < max_epochs) epoch = std::max(epoch, milestone.as_int());
  }
  const Json& train = test.data().at("train");
  const std::int64_t batches =
      (train.at("n").as_int() + train.at("batch").as_int() - 1) / train.at("batch").as_int();
  std::int64_t steps = int_or(get(spec, "args"), "num_training_steps", 100);
  std::int64_t rates = 0;
  for (; epoch < max_epochs && steps > 0; ++epoch) {
    rates += std::min(steps, batches / window);
    steps -= std::min(steps, (batches + window - 1) / window);
  }
  for (const Json& callback : items(get(observed, "callbacks"))) {
    const auto found = static_cast<std::int64_t>(items(get(callback, "lr")).size());
    if (found == rates) return {};
  }
  return {"no search with " + std::to_string(rates) + " rates"};
}

// ---- default_displays

bool is_rich(const std::string& name) {
  return name == "RichProgressBar" || name == "RichModelSummary";
}

// Displays that the recorded trainer chose, not the case.
bool has_default_displays(const Case& test) {
  const Json::Array& order = items(get(test.expect(), "callbacks_order"));
  return std::any_of(order.begin(), order.end(), [&](const Json& name) {
    return is_rich(name.as_string()) && !has_callback(test, name.as_string());
  });
}

std::vector<std::string> check_default_displays(const Case& test, const Json& observed) {
  Json order = Json::array();
  for (const Json& name : items(get(test.expect(), "callbacks_order"))) {
    if (!is_rich(name.as_string()) || has_callback(test, name.as_string())) {
      order.append(name);
    } else {
      order.append(name.as_string() == "RichProgressBar" ? "TQDMProgressBar" : "ModelSummary");
    }
  }
  Json expect = test.expect();
  expect.set("callbacks_order", std::move(order));
  return differences(test, expect, observed);
}

}  // namespace

const std::vector<Deviation>& deviations() {
  static const std::vector<Deviation> rules = {
      {"resume_mid_epoch",
       "Lightning starts the data of a resumed epoch over; here the hooks of the checkpoint's batch "
       "are completed, the run continues with the next batch, and ends as if it had never been "
       "stopped",
       resumes_mid_epoch, check_exact_resume},
      {"changes_of_the_model_go_on",
       "Lightning freezes on resume what had been unfrozen, for the rest of the training, and "
       "prunes a resumed model as if for the first time; here both go on, and the run ends as if "
       "it had never been stopped",
       resumes_changed_model, check_changes_go_on},
      {"resume_with_max_steps",
       "Lightning takes every resumed run with max_steps for one within an epoch: an epoch passes "
       "without a step, or isn't counted; here every epoch is trained and counted",
       resumes_with_max_steps, check_every_epoch_trained},
      {"swa_gives_back",
       "Lightning ends with the weights from before the training when the averaging never began, "
       "and "
       "leaves max_epochs one higher when the epoch for statistics was never reached; here the "
       "trained weights stay, and max_epochs is given back",
       averaging_gives_back, check_averaging_gives_back},
      {"options_without_meaning",
       "Lightning takes values that mean nothing; here they are refused, naming option and value",
       has_meaningless_option, check_refused},
      {"unknown_scheduler_keys",
       "Lightning warns of an unknown key and trains; here the key is refused by name",
       has_unknown_scheduler_key, check_key_refused},
      {"first_error_is_thrown",
       "Lightning throws what on_exception raised and drops the error it was called for, and the "
       "other "
       "callbacks never hear of either; here every callback is told and the first error is thrown",
       raises_in_on_exception, check_first_error},
      {"saved_state_loads",
       "Lightning's SpikeDetection fails to load the state that it saved, and a model that stays "
       "pruned the weights; here they load",
       loads_saved_state, check_loads},
      {"average_is_evaluated",
       "Lightning evaluates a checkpoint's training weights when the trainer has fitted before, "
       "and its average otherwise; here it is always the average",
       evaluates_average, check_average_evaluated},
      {"refused_without_trace",
       "Lightning keeps the counters of a checkpoint that it refuses because it has more epochs than "
       "max_epochs; here a refused checkpoint leaves everything as it was",
       resumes_past_max_epochs, check_refused_without_trace},
      {"bookkeeping_stays",
       "Lightning loads a checkpoint's states into callbacks and data also for an evaluation, so "
       "that a fit that goes on after a test has forgotten what it knew; here an evaluation in a "
       "trainer that has fitted loads weights, and calls the hooks of loading",
       evaluates_after_fit, check_bookkeeping_stays},
      {"default_displays",
       "Lightning shows progress and a summary with Python's rich where that is installed; here "
       "the defaults are TQDMProgressBar and ModelSummary wherever the program runs",
       has_default_displays, check_default_displays},
      {"batch_size_without_val_data",
       "Lightning's batch-size finder fails when the module has a validation_step and there are no "
       "validation data; here it searches as if there were no validation_step",
       finder_lacks_val_data, check_searches_without_val_data},
      {"search_in_a_later_epoch",
       "Lightning's search for a learning rate after the first epoch lets one epoch pass without a "
       "step, and so ends too soon or never begins; here it uses all of the epochs that are left",
       searches_in_a_later_epoch, check_later_search},
      {"metrics_in_names",
       "A metric without a format in a file's name has all of its digits: Python prints a float32 "
       "as the double that it is, and the last digits depend on the order of additions; here the "
       "name is the same but for those",
       names_have_all_digits, check_names_nearly},
  };
  return rules;
}

}  // namespace grapnel::oracle
