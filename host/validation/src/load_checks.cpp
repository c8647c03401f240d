#include "load_checks.h"

#include <fmt/format.h>

#include <algorithm>

#include <grapnel/base/text.h>

namespace grapnel::validation {
namespace {

using End = host::ProbeResult::End;

CheckResult result_of(End end) {
  if (end == End::crashed || end == End::exited) return CheckResult::crash;
  return end == End::hung ? CheckResult::timeout : CheckResult::fail;
}

std::vector<std::string> without(const std::vector<std::string>& names,
                                 const std::vector<std::string>& others) {
  std::vector<std::string> left;
  std::ranges::copy_if(names, std::back_inserter(left), [&](const std::string& name) {
    return std::ranges::find(others, name) == others.end();
  });
  return left;
}

// Of a manifest that names hooks: the same that the callback wants.
std::string hooks_fault(const host::CallbackProbe& probe, const host::Manifest& manifest) {
  const host::CallbackManifest* const described = manifest.find(probe.callback);
  if (!probe.failure.empty() || !probe.skipped.empty() || described == nullptr ||
      described->hooks.empty()) {
    return {};
  }
  const auto unnamed = without(probe.hooks, described->hooks);
  const auto unwanted = without(described->hooks, probe.hooks);
  std::string found;
  if (!unnamed.empty()) {
    found = fmt::format("callback {} wants {}, which \"hooks\" doesn't name", quote(probe.callback),
                        join_quoted(unnamed, "and"));
  }
  if (!unwanted.empty()) {
    found +=
        fmt::format("{}\"hooks\" of callback {} names {}, which it doesn't want",
                    found.empty() ? "" : "; ", quote(probe.callback), join_quoted(unwanted, "and"));
  }
  return found;
}

// Which check a callback's failure belongs to.
std::string_view check_of(const std::string& failure) {
  for (const auto& [words, id] :
       {std::pair<std::string_view, std::string_view>{"create", "load.create"},
        {"init", "load.init"},
        {"destroy", "load.destroy"}}) {
    if (failure.starts_with(fmt::format("{} failed", words))) return id;
  }
  const bool is_of_hooks =
      failure.starts_with("it lists ") || failure.find("hook") != std::string::npos;
  return is_of_hooks ? "load.hooks" : "load.instance";
}

// Which check a step belongs to, as probe_child.cpp names steps.
std::string_view check_of_step(const std::string& step) {
  if (step.starts_with("creating")) return "load.create";
  if (step.starts_with("initializing")) return "load.init";
  if (step.starts_with("destroying")) return "load.destroy";
  if (step.starts_with("ending")) return "exit.destructors";
  return "load.library";
}

}  // namespace

const std::vector<LoadCheck>& load_checks() {
  static const std::vector<LoadCheck> all = {
      {"load.library", "it can be loaded"},
      {"load.process_state", "loading and creating it changes nothing of the process"},
      {"load.create", "its callbacks can be created"},
      {"load.instance", "its instances are complete"},
      {"load.init", "its callbacks can be initialized"},
      {"load.hooks", "its lists of hooks are valid"},
      {"load.hooks_named", "its callbacks want the hooks that the manifest names"},
      {"load.destroy", "its callbacks can be destroyed"},
      {"load.tried", "each callback was tried with its default parameters"},
      {"exit.destructors", "the process ends well after it"},
  };
  return all;
}

std::vector<CheckReport> judge_probe(const host::ProbeResult& probe,
                                     const host::Manifest& manifest) {
  std::vector<CheckReport> reports;
  for (const LoadCheck& check : load_checks()) {
    reports.push_back({.id = std::string(check.id),
                       .group = std::string(check.id.substr(0, check.id.find('.'))),
                       .title = std::string(check.title),
                       .result = CheckResult::pass,
                       .detail = {}});
  }
  const auto set = [&](std::string_view id, CheckResult result, std::string detail) {
    CheckReport& report = *std::ranges::find(reports, id, &CheckReport::id);
    if (report.result == CheckResult::pass)
      report.result = result, report.detail = std::move(detail);
  };
  const bool ended_early = probe.end != End::passed && probe.end != End::failed;
  if (ended_early) {
    std::string detail = probe.cause;
    if (!probe.error_tail.empty()) detail += "; its standard error ends: " + probe.error_tail;
    set(check_of_step(probe.step), result_of(probe.end), detail);
  } else if (probe.refused) {
    set("load.library", CheckResult::fail, probe.cause);
  }
  if (!probe.changed.empty()) {
    set("load.process_state", CheckResult::fail,
        fmt::format("it changed {}, which plugins must not do", join(probe.changed)));
  }
  for (const host::CallbackProbe& callback : probe.callbacks) {
    if (!callback.failure.empty()) {
      set(check_of(callback.failure), CheckResult::fail,
          fmt::format("callback {}: {}", quote(callback.callback), callback.failure));
    }
    if (!callback.skipped.empty()) {
      set("load.tried", CheckResult::warn,
          fmt::format("callback {}: {}", quote(callback.callback), callback.skipped));
    }
    if (std::string found = hooks_fault(callback, manifest); !found.empty()) {
      set("load.hooks_named", CheckResult::warn, std::move(found));
    }
  }
  if (!ended_early && !probe.refused) return reports;
  // What came after the end was not seen.
  bool is_after = false;
  for (CheckReport& report : reports) {
    if (is_after && report.result == CheckResult::pass) {
      report.result = CheckResult::skip;
      report.detail = "the plugin did not get that far";
    }
    is_after =
        is_after || (report.result != CheckResult::pass && report.id != "load.process_state");
  }
  return reports;
}

}  // namespace grapnel::validation
