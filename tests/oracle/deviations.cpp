#include "deviations.h"

#include <algorithm>
#include <initializer_list>
#include <set>

#include "compare.h"
#include "facts.h"
#include "run_case.h"
#include "values.h"

namespace grapnel::oracle {
namespace {

bool has_callback(const Case& test, std::string_view type) {
  const Json::Array& specs = items(test.callbacks());
  return std::any_of(specs.begin(), specs.end(),
                     [&](const Json& spec) { return text_or(spec, "type", "") == type; });
}

const Json& argument(const Json& spec, std::string_view key) {
  return get(get(spec, "args"), key);
}

// The recording without some of its keys.
Json expect_without(const Case& test, std::initializer_list<std::string_view> left_out) {
  Json expect = Json::object();
  for (const auto& [key, value, line, column] : test.expect().as_object()) {
    if (std::find(left_out.begin(), left_out.end(), key) == left_out.end()) {
      expect.set(key, value);
    }
  }
  return expect;
}

// A ConfigError whose message names these.
std::vector<std::string> check_config_error(const Json& observed,
                                            const std::vector<std::string>& facts) {
  const Json& exception = get(observed, "exception");
  if (exception.is_null()) return {"nothing was refused"};
  if (exception.at("type").as_string() != "ConfigError") {
    return {"refused by " + brief(exception) + " instead of a ConfigError"};
  }
  const std::string& message = exception.at("message").as_string();
  for (const std::string& fact : facts) {
    if (message.find(fact) == std::string::npos) {
      return {"'" + message + "' doesn't name '" + fact + "'"};
    }
  }
  return {};
}

// The first key of a scheduler's spec that says neither what it is nor how it is used.
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

// ---- resume_mid_epoch

// A fit, then another fit from a checkpoint, and something that saves within an epoch.
bool resumes_mid_epoch(const Case& test) {
  const std::vector<Json> calls = test.calls();
  if (calls.size() != 2) return false;
  for (const Json& call : calls) {
    if (call.at("call").as_string() != "fit") return false;
  }
  if (!calls[1].contains("ckpt_path")) return false;
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

// The same case as one fit that is never stopped, under the options of the second.
Case uninterrupted(const Case& test) {
  const Json second = test.calls().at(1);
  Case whole = test;
  Json trainer = test.trainer();
  for (const auto& [key, value, line, column] : members(get(second, "new_trainer"))) {
    trainer.set(key, value);
  }
  whole.document.set("trainer", trainer);
  whole.document.erase("sequence");
  whole.document.erase("script");
  return whole;
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

// ---- finetuning_goes_on

bool resumes_finetuning(const Case& test) {
  const std::vector<Json> calls = test.calls();
  return (has_callback(test, "BackboneFinetuning") || has_callback(test, "PlanFinetuning")) &&
         calls.size() == 2 && calls[0].at("call").as_string() == "fit" &&
         calls[1].at("call").as_string() == "fit" && calls[1].contains("ckpt_path") &&
         get(test.expect(), "exception").is_null();
}

// What was unfrozen stays so: the end is that of one fit without a stop. All that doesn't follow from
// which parameters are trained is as recorded.
std::vector<std::string> check_finetuning_goes_on(const Case& test, const Json& observed) {
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

// ---- options_without_meaning

struct Meaningless {
  std::string_view option;
  bool (*is)(const Json& value);
};

constexpr Meaningless kTrainerOptions[] = {
    {"accumulate_grad_batches", [](const Json& v) { return v.is_integer() && v.as_int() < 1; }},
    {"log_every_n_steps", [](const Json& v) { return v.is_integer() && v.as_int() < 0; }},
    {"num_sanity_val_steps", [](const Json& v) { return v.is_integer() && v.as_int() < -1; }},
};

bool is_unknown_mode(const Json& mode) {
  return mode.is_string() && mode.as_string() != "min" && mode.as_string() != "max";
}

// The option that makes no sense, with its value; null when all do.
Json meaningless_option(const Case& test) {
  Json found = Json::object();
  for (const Meaningless& rule : kTrainerOptions) {
    const Json& value = get(test.trainer(), rule.option);
    if (!value.is_null() && rule.is(value)) {
      found.set("option", rule.option);
      found.set("value", value);
      return found;
    }
  }
  for (const Json& spec : items(test.callbacks())) {
    if (text_or(spec, "type", "") == "SpikeDetection" && is_unknown_mode(argument(spec, "mode"))) {
      found.set("option", "mode");
      found.set("value", argument(spec, "mode"));
      return found;
    }
  }
  return {};
}

bool has_meaningless_option(const Case& test) {
  return get(test.expect(), "exception").is_null() && !meaningless_option(test).is_null();
}

std::vector<std::string> check_refused(const Case& test, const Json& observed) {
  const Json found = meaningless_option(test);
  const Json& value = found.at("value");
  return check_config_error(observed, {found.at("option").as_string(),
                                       value.is_string() ? value.as_string() : write_json(value)});
}

// ---- unknown_scheduler_keys

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

bool raises_in_on_exception(const Case& test) {
  return raise_in_on_exception(test) != nullptr;
}

std::vector<std::string> check_first_error(const Case& test, const Json& observed) {
  std::vector<std::string> problems =
      differences(test, expect_without(test, {"exception", "trace", "final"}), observed);
  // What is thrown is not what on_exception raised, but what it was called for.
  const Json& exception = get(observed, "exception");
  const std::string second = text_or(*raise_in_on_exception(test), "msg", "scripted");
  if (exception.is_null() || exception.at("message").as_string() == second) {
    problems.push_back("expected the first error, got " + brief(exception));
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

// ---- spike_state_loads

bool loads_spike_state(const Case& test) {
  const Json& exception = get(test.expect(), "exception");
  if (!has_callback(test, "SpikeDetection") || exception.is_null()) return false;
  const std::vector<Json> calls = test.calls();
  return text_or(exception, "type", "") == "AttributeError" &&
         std::any_of(calls.begin(), calls.end(),
                     [](const Json& call) { return call.contains("ckpt_path"); });
}

std::vector<std::string> check_loads(const Case&, const Json& observed) {
  const Json& exception = get(observed, "exception");
  if (exception.is_null()) return {};
  return {"the resumed run threw " + brief(exception)};
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

}  // namespace

const std::vector<Deviation>& deviations() {
  static const std::vector<Deviation> rules = {
      {"resume_mid_epoch",
       "Lightning starts the data of a resumed epoch anew; here the run goes on with the next "
       "batch, "
       "and ends as if it had never been stopped",
       resumes_mid_epoch, check_exact_resume},
      {"finetuning_goes_on",
       "Lightning freezes on resume what had been unfrozen, for the rest of the training; here it "
       "stays "
       "trainable, and the run ends as if it had never been stopped",
       resumes_finetuning, check_finetuning_goes_on},
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
       "Lightning warns of a key that it doesn't know and goes on; here it is refused by name",
       has_unknown_scheduler_key, check_key_refused},
      {"first_error_is_thrown",
       "Lightning throws what on_exception raised and drops the error it was called for, and the "
       "other "
       "callbacks never hear of either; here every callback is told and the first error is thrown",
       raises_in_on_exception, check_first_error},
      {"spike_state_loads",
       "Lightning's SpikeDetection fails to load the state that it saved; here it loads",
       loads_spike_state, check_loads},
      {"batch_size_without_val_data",
       "Lightning's batch-size finder fails when the module has a validation_step and there are no "
       "validation data; here it searches as if there were no validation_step",
       finder_lacks_val_data, check_searches_without_val_data},
      {"search_in_a_later_epoch",
       "Lightning's search for a learning rate after the first epoch lets one epoch pass without a "
       "step, and so ends too soon or never begins; here it uses all of the epochs that are left",
       searches_in_a_later_epoch, check_later_search},
  };
  return rules;
}

}  // namespace grapnel::oracle
