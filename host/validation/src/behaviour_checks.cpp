// The group behaviour: one training with the default parameters, and several instances.
#include <fmt/format.h>

#include <algorithm>
#include <cfenv>
#include <cmath>
#include <limits>

#include <grapnel/base/text.h>
#include <grapnel/host/process_state.h>

#include "subject.h"

namespace grapnel::validation {
namespace {

using testkit::RecordedTraining;
using testkit::run_training;
using testkit::TrainingPlan;

Verdict training(Subject& subject) {
  return subject.each_instance([](Instance& instance) {
    const RecordedTraining done = run_training(*instance.callback);
    // Other statuses and failures without a text have checks of their own.
    if (done.status == GRAPNEL_ERROR && !instance.host.failures.empty()) {
      if (!instance.host.unknown_operators.empty()) {
        return skip("it needs an operator that this host without LibTorch doesn't have: " +
                    *instance.host.unknown_operators.begin());
      }
      return fail(training_fault(done, instance.host));
    }
    return pass(fmt::format("{} calls of hooks", done.hooks.size()));
  });
}

Verdict statuses(Subject& subject) {
  return subject.each_instance([](Instance& instance) {
    const RecordedTraining done = run_training(*instance.callback);
    if (is_status_of_plugin(done.status)) return pass();
    return fail(
        fmt::format("{} answered {}; a plugin returns GRAPNEL_OK, GRAPNEL_ERROR or GRAPNEL_PENDING",
                    done.failed_hook, done.status));
  });
}

Verdict reasons(Subject& subject) {
  return subject.each_instance([](Instance& instance) {
    const RecordedTraining done = run_training(*instance.callback);
    if (done.status != GRAPNEL_ERROR || !instance.host.failures.empty()) return pass();
    return fail(done.failed_hook +
                " answered GRAPNEL_ERROR without a text; give the reason with grapnel_host.fail");
  });
}

Verdict pending(Subject& subject) {
  return subject.each_instance([](Instance& instance) {
    const RecordedTraining done = run_training(*instance.callback);
    if (done.status != GRAPNEL_PENDING || instance.host.pending) return pass();
    return fail(done.failed_hook +
                " answered GRAPNEL_PENDING, but no service of the host had failed");
  });
}

Verdict contract(Subject& subject) {
  return subject.each_instance([](Instance& instance) {
    (void)run_training(*instance.callback);
    instance.end();
    if (instance.host.breaches.empty()) return pass();
    return fail(fmt::format("{} calls that a host refuses, the first: {}",
                            instance.host.breaches.size(), instance.host.breaches.front()));
  });
}

// What is to be the same each time; values may depend on the clock.
std::vector<std::string> trace(Instance& instance) {
  std::vector<std::string> lines = run_training(*instance.callback).hooks;
  for (const auto& request : instance.host.requests) {
    lines.push_back(fmt::format("request {}: {}", request.kind, request.reason));
  }
  for (const auto& metric : instance.host.metrics) lines.push_back("metric " + metric.name);
  return lines;
}

std::string difference(const std::vector<std::string>& one, const std::vector<std::string>& other) {
  const auto [a, b] = std::ranges::mismatch(one, other);
  if (a == one.end() && b == other.end()) return {};
  const auto text = [](const auto& at, const auto& all) {
    return at == all.end() ? std::string("nothing") : quote(*at);
  };
  return fmt::format("at place {} of the trace: {} and {}", a - one.begin() + 1, text(a, one),
                     text(b, other));
}

Verdict repeatable(Subject& subject) {
  return subject.each([&](const host::CallbackManifest& callback) {
    std::vector<std::string> traces[2];
    for (auto& one : traces) {
      Instance instance = subject.start(callback);
      if (instance.callback == nullptr) return skip("it can't be created: " + instance.refusal);
      one = trace(instance);
    }
    const std::string found = difference(traces[0], traces[1]);
    return found.empty() ? pass() : fail("the same training twice went differently, " + found);
  });
}

Verdict two_instances(Subject& subject) {
  return subject.each([&](const host::CallbackManifest& callback) {
    Instance first = subject.start(callback);
    if (first.callback == nullptr) return skip("it can't be created: " + first.refusal);
    Instance second = subject.start(callback);
    if (second.callback == nullptr) {
      return fail("a second instance beside the first can't be created: " + second.refusal);
    }
    const std::string found = difference(trace(first), trace(second));
    return found.empty() ? pass() : fail("two instances at a time disturb each other, " + found);
  });
}

Verdict many_creations(Subject& subject) {
  return subject.each([&](const host::CallbackManifest& callback) {
    for (int i = 1; i <= 100; ++i) {
      Instance instance = subject.start(callback);
      if (instance.callback != nullptr) continue;
      if (i == 1) return skip("it can't be created: " + instance.refusal);
      return fail(fmt::format("creation {} of 100 failed: {}", i, instance.refusal));
    }
    return pass("100 times");
  });
}

Verdict hooks(Subject& subject) {
  return subject.each_instance([](Instance& instance) {
    if (!instance.callback->hooks().empty()) return pass();
    try {
      if (!instance.callback->events().empty()) return pass();
      if (instance.callback->metrics_sink() != nullptr) return pass();
    } catch (const std::exception&) {
      return pass();  // hosts.unknown_extension and load checks tell
    }
    return warn(
        "it wants no hook, handles no event and takes no metrics, so it does nothing; a hook is "
        "wanted when its class overrides it");
  });
}

std::vector<std::string> without(const std::vector<std::string>& names,
                                 const std::vector<std::string>& others) {
  std::vector<std::string> left;
  std::ranges::copy_if(names, std::back_inserter(left), [&](const std::string& name) {
    return std::ranges::find(others, name) == others.end();
  });
  return left;
}

Verdict undeclared_extensions(Subject& subject) {
  std::vector<std::string> declared = subject.plugin().manifest().required_extensions;
  for (const auto& id : subject.plugin().manifest().optional_extensions) declared.push_back(id);
  return subject.each_instance([&](Instance& instance) {
    (void)run_training(*instance.callback);
    const std::vector<std::string> asked(instance.host.extensions.begin(),
                                         instance.host.extensions.end());
    const auto found = without(asked, declared);
    if (found.empty()) return pass();
    return warn(
        fmt::format("it asks for {}, which plugin.json names neither in \"requires\" nor in "
                    "\"optional\"",
                    join_quoted(found, "and")));
  });
}

// Trainings that go different ways: a plugin may ask for some extensions only in one of them.
std::vector<TrainingPlan> all_ways() {
  std::vector<TrainingPlan> plans(6);
  plans[1].loss = [](std::int64_t) { return std::nan(""); };
  plans[2].run = GRAPNEL_RUN_VALIDATE;
  plans[3].run = GRAPNEL_RUN_TEST;
  plans[4].run = GRAPNEL_RUN_PREDICT;
  plans[5].fail_in_batch = 2;
  return plans;
}

// Asked for, or offered itself.
std::vector<std::string> extensions_used(const Instance& instance) {
  std::vector<std::string> used(instance.host.extensions.begin(), instance.host.extensions.end());
  if (instance.callback->metrics_sink() != nullptr) used.emplace_back(GRAPNEL_EXT_METRICS_SINK);
  if (instance.callback->state() != nullptr) used.emplace_back(GRAPNEL_EXT_STATE);
  if (!instance.callback->events().empty()) used.emplace_back(GRAPNEL_EXT_EVENT);
  return used;
}

// Of all its callbacks together: each may use another one.
Verdict unused_extensions(Subject& subject) {
  std::vector<std::string> used;
  Verdict tried = skip("the library has no callbacks");
  for (const auto which : {Parameters::usual, Parameters::smallest, Parameters::largest}) {
    for (const TrainingPlan& plan : all_ways()) {
      const Verdict verdict = subject.each([&](const host::CallbackManifest& callback) {
        Instance instance = subject.start(callback, {}, which);
        if (instance.callback == nullptr) return skip("it can't be created: " + instance.refusal);
        (void)run_training(*instance.callback, plan);
        for (std::string& id : extensions_used(instance)) used.push_back(std::move(id));
        return pass();
      });
      if (which == Parameters::usual) tried = verdict;
    }
  }
  if (tried.result == CheckResult::skip) return tried;
  const auto found = without(subject.plugin().manifest().required_extensions, used);
  if (found.empty()) return pass();
  return warn(
      fmt::format("plugin.json requires {}, which none of these trainings asks for; take it out of "
                  "\"requires\" unless other parameters or devices need it",
                  join_quoted(found, "and")));
}

Verdict operators(Subject& subject) {
  return subject.each_instance([](Instance& instance) {
    (void)run_training(*instance.callback);
    const std::vector<std::string> unknown(instance.host.unknown_operators.begin(),
                                           instance.host.unknown_operators.end());
    if (unknown.empty()) return pass();
    return warn(
        fmt::format("it looks for {}, which this host without LibTorch doesn't have; try "
                    "the plugin in a training, too",
                    join_quoted(unknown, "and")));
  });
}

bool is_handler(const std::string& change) {
  return change.starts_with("the handler");
}

Verdict process_state(Subject& subject) {
  return subject.each([&](const host::CallbackManifest& callback) {
    host::ProcessStateGuard guard;
    {
      Instance instance = subject.start(callback);
      if (instance.callback != nullptr) (void)run_training(*instance.callback);
    }
    std::vector<std::string> changed = guard.restore();
    std::erase_if(changed, is_handler);  // exit.signal_handlers
    if (changed.empty()) return pass();
    return fail(fmt::format("it changed {}, which belongs to the process", join(changed)));
  });
}

Verdict floating_point(Subject& subject) {
  return subject.each_instance([](Instance& instance) {
    const int rounding = std::fegetround();
    (void)run_training(*instance.callback);
    if (std::fegetround() != rounding) return fail("its hooks change the rounding of numbers");
    volatile double smallest = std::numeric_limits<double>::min();
    if (smallest * 0.5 != 0) return pass();
    return fail(
        "its hooks make the processor flush denormal numbers to 0; link without -ffast-math");
  });
}

}  // namespace

std::vector<Check> behaviour_checks() {
  return {
      {first_check, "every hook that it wants succeeds in a training", training},
      {"behaviour.statuses", "its hooks return statuses that exist", statuses},
      {"behaviour.reasons", "a hook that fails gives its reason", reasons},
      {"behaviour.pending", "it passes on only failures of the host that happened", pending},
      {"behaviour.contract", "it calls the host as the contract says", contract},
      {"behaviour.repeatable", "the same training twice is the same", repeatable},
      {"behaviour.two_instances", "two instances at a time do not disturb each other",
       two_instances},
      {"behaviour.many_creations", "it can be created 100 times", many_creations},
      {"behaviour.hooks", "it wants a hook, an event or metrics", hooks},
      {"behaviour.undeclared_extensions", "it asks only for extensions that it declares",
       undeclared_extensions},
      {"behaviour.unused_extensions", "it asks for all extensions that it requires",
       unused_extensions},
      {"behaviour.operators", "the operators that it needs are known here", operators},
      {"behaviour.process_state", "it changes nothing that belongs to the process", process_state},
      {"behaviour.floating_point", "its hooks leave the processor's arithmetic alone",
       floating_point},
  };
}

}  // namespace grapnel::validation
