#include "rules_max_steps.h"

#include <algorithm>
#include <set>

#include "compare.h"
#include "rule_parts.h"
#include "run_case.h"
#include "values.h"

namespace grapnel::oracle {
namespace {

using Trace = std::vector<std::string>;

std::int64_t limit_of_steps(const Case& test) {
  return int_or(uninterrupted(test).trainer(), "max_steps", -1);
}

Json observe_first(const Case& test) {
  std::vector<std::string> log;
  return observe_case(first_call(test), log);
}

// More epochs went by than the batches fill.
bool epoch_without_step(const Case& test) {
  const Json& final = get(test.expect(), "final");
  const Json& per_epoch = get(final, "num_training_batches");
  if (!per_epoch.is_integer() || per_epoch.as_int() < 1) return false;
  const std::int64_t batches = int_or(final, "total_batch_idx", -1) + 1;
  const std::int64_t epochs = (batches + per_epoch.as_int() - 1) / per_epoch.as_int();
  return int_or(final, "current_epoch", 0) > epochs;
}

// The checkpoint is that of an epoch's end, has as many steps as are allowed, and its epoch wasn't
// counted.
bool nothing_is_left(const Case& test) {
  const Json& final = get(test.expect(), "final");
  if (int_or(final, "global_step", -1) < limit_of_steps(test)) return false;
  const Json saved = checkpoint_of(test, observe_first(test));
  if (saved.is_null()) return false;
  const Json& batches = get(get(saved, "fit_loop"), "batch_progress");
  return flag_or(batches, "is_last_batch", false) &&
         int_or(saved, "global_step", -1) >= limit_of_steps(test) &&
         int_or(saved, "global_step", -1) == int_or(final, "global_step", -2) &&
         int_or(saved, "epoch", -1) == int_or(final, "current_epoch", -2);
}

Trace trace_of(const Json& observed) {
  Trace trace;
  for (const Json& entry : items(get(observed, "trace"))) trace.push_back(entry.as_string());
  return trace;
}

Json json_of(const Trace& trace) {
  Json list = Json::array();
  for (const std::string& entry : trace) list.append(entry);
  return list;
}

// Where the entries of the second fit begin.
std::size_t second_fit(const Trace& trace) {
  const auto last = std::find(trace.rbegin(), trace.rend(), "== fit");
  return static_cast<std::size_t>(trace.rend() - last);
}

bool is_hook(const std::string& entry, std::string_view hook) {
  const std::size_t dot = entry.find('.');
  return dot != std::string::npos && entry.compare(dot + 1, hook.size(), hook) == 0 &&
         entry.compare(dot + 1 + hook.size(), 1, "(") == 0;
}

// The first entry after on_fit_start, from `begin` on.
std::size_t after_fit_start(const Trace& trace, std::size_t begin) {
  std::size_t after = begin;
  for (std::size_t i = begin; i < trace.size(); ++i) {
    if (is_hook(trace[i], "on_fit_start")) after = i + 1;
  }
  return after;
}

// Where the epoch of this number begins; the end if there is none.
std::size_t beginning_of_epoch(const Trace& trace, std::int64_t number) {
  std::int64_t found = 0;
  for (std::size_t i = 0; i < trace.size(); ++i) {
    if (!is_hook(trace[i], "on_train_epoch_start")) continue;
    if (i > 0 && is_hook(trace[i - 1], "on_train_epoch_start")) continue;
    if (found++ == number) return i;
  }
  return trace.size();
}

// The entries of the sanity check and of the loaders before it.
Trace sanity_check(const Trace& trace, std::size_t begin) {
  std::size_t end = begin;
  for (std::size_t i = begin; i < trace.size() && !is_hook(trace[i], "on_train_start"); ++i) {
    if (is_hook(trace[i], "on_sanity_check_end")) end = i + 1;
  }
  return Trace(trace.begin() + static_cast<std::ptrdiff_t>(begin),
               trace.begin() + static_cast<std::ptrdiff_t>(end));
}

// The recorded trace until the second fit has started; then `rest`, lists one after the other.
Json expected_trace(const Case& test, std::initializer_list<Trace> rest) {
  Trace trace = trace_of(test.expect());
  trace.resize(after_fit_start(trace, second_fit(trace)));
  for (const Trace& part : rest) trace.insert(trace.end(), part.begin(), part.end());
  return json_of(trace);
}

Trace part(const Trace& trace, std::size_t begin, std::size_t end) {
  return Trace(trace.begin() + static_cast<std::ptrdiff_t>(begin),
               trace.begin() + static_cast<std::ptrdiff_t>(std::max(begin, end)));
}

// All is as recorded, but for the sanity check, and the epoch that is over is counted.
std::vector<std::string> check_nothing_done(const Case& test, const Json& observed) {
  Json expect = test.expect();
  Json* final = expect.find("final");
  final->set("current_epoch", final->at("current_epoch").as_int() + 1);
  if (expect.contains("trace")) {
    const Trace first = trace_of(observe_first(test));
    const Trace recorded = trace_of(expect);
    const std::size_t begin = after_fit_start(recorded, second_fit(recorded));
    expect.set("trace", expected_trace(test, {sanity_check(first, after_fit_start(first, 0)),
                                              part(recorded, begin, recorded.size())}));
  }
  return differences(test, expect, observed);
}

std::set<std::string> files_of(const Json& observed) {
  std::set<std::string> files;
  const Json plain = without_versions(get(observed, "files"));
  for (const Json& file : items(plain)) {
    files.insert(file.as_string());
  }
  return files;
}

// Every file of the whole run is there, and none that neither it nor the first fit leaves.
void compare_files(const ResumedRun& run, const Json& observed,
                   std::vector<std::string>& problems) {
  const std::set<std::string> ours = files_of(observed);
  std::set<std::string> all = files_of(run.whole());
  for (const std::string& file : all) {
    if (!ours.contains(file)) problems.push_back("files: '" + file + "' is missing");
  }
  all.merge(files_of(run.first()));
  for (const std::string& file : ours) {
    if (!all.contains(file)) problems.push_back("files: '" + file + "' is one too many");
  }
}

}  // namespace

bool resumes_with_max_steps(const Case& test) {
  if (!fits_and_resumes(test) || !get(test.expect(), "exception").is_null()) return false;
  return limit_of_steps(test) >= 0 && (epoch_without_step(test) || nothing_is_left(test));
}

std::vector<std::string> check_every_epoch_trained(const Case& test, const Json& observed) {
  if (!epoch_without_step(test)) return check_nothing_done(test, observed);
  ResumedRun run(test, observed);
  const Json saved = checkpoint_of(test, run.first());
  if (saved.is_null()) return {"the first fit doesn't leave the checkpoint to go on from"};
  // What no step changes is as recorded.
  Json expect = expect_without(
      test, {"final", "weights", "masks", "requires_grad", "train_losses", "val_losses", "lrs",
             "rows", "batch_sizes", "snapshots", "callback_metrics", "logged_metrics",
             "progress_bar_metrics", "optimizers", "callbacks", "checkpoints", "files", "info"});
  if (expect.contains("trace")) {
    const Trace whole = trace_of(run.whole());
    const std::int64_t next = saved.at("epoch").as_int() + 1;
    const std::size_t begin = after_fit_start(whole, 0);
    expect.set("trace",
               expected_trace(test, {part(whole, begin, beginning_of_epoch(whole, 0)),
                                     part(whole, beginning_of_epoch(whole, next), whole.size())}));
  }
  std::vector<std::string> problems = differences(test, expect, observed);
  run.compare_end({"final", "weights", "masks", "requires_grad", "callback_metrics",
                   "logged_metrics", "progress_bar_metrics", "optimizers", "callbacks"},
                  problems);
  run.compare_tails({"train_losses", "val_losses", "lrs", "rows", "batch_sizes", "snapshots"},
                    problems);
  if (observed.contains("files")) compare_files(run, observed, problems);
  return problems;
}

}  // namespace grapnel::oracle
