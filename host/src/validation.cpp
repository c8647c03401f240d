#include <grapnel/host/validation.h>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include <grapnel/base/error.h>
#include <grapnel/base/text.h>
#include <grapnel/host/library_file.h>
#include <grapnel/host/sealing.h>

#include "descriptions.h"

namespace grapnel::host {
namespace {

using Outcome = ValidationCheck::Outcome;

class Validator {
 public:
  Validator(const Candidate& candidate, const HostDirectories& directories,
            const ProbeOptions& options)
      : candidate_(candidate), directories_(directories), options_(options) {}

  Validation run() {
    result_.candidate = candidate_;
    add("can be used here", Outcome::failed, candidate_.refused);
    check_manifest();
    check_library();
    if (candidate_.refused.empty()) probe();
    return std::move(result_);
  }

 private:
  // ok when `found` is empty, else `outcome`.
  void add(std::string name, Outcome outcome, std::string found) {
    result_.checks.push_back({.check = std::move(name),
                              .outcome = found.empty() ? Outcome::ok : outcome,
                              .found = std::move(found)});
  }

  void check_manifest() {
    if (candidate_.summary.id.empty()) return;  // its refusal gives the reason
    try {
      const auto manifest = read_manifest(candidate_);
      add("its manifest has only known keys", Outcome::warning, join(manifest->warnings, "; "));
      add("it has a license", Outcome::warning,
          manifest->license.empty() ? "the manifest names none: add \"license\", an SPDX expression"
                                    : "");
    } catch (const Error& error) {
      add("its manifest can be read", Outcome::failed, error.what());
    }
  }

  void check_library() {
    LibraryFacts facts;
    try {
      facts = read_library_file(candidate_.library);
    } catch (const Error&) {
      return;  // the refusal gives the reason
    }
    if (facts.format != LibraryFormat::elf || !facts.unloadable.empty()) return;
    add("embeds its manifest", Outcome::warning,
        facts.manifest ? ""
                       : "plugin.json is only next to the library, so the library "
                         "alone is not a plugin; grapnel_add_plugin() embeds it");
    for (SealingCheck& check : check_sealing(facts)) {
      add(std::move(check.name), Outcome::failed, std::move(check.found));
    }
  }

  void probe() {
    result_.probe = probe_plugin(candidate_, directories_, options_);
    const ProbeResult& probe = *result_.probe;
    add("can be loaded, and its callbacks created and destroyed", Outcome::failed, probe.cause);
    for (const CallbackProbe& callback : probe.callbacks) {
      if (callback.skipped.empty() && callback.failure.empty()) check_hooks(callback);
      if (callback.skipped.empty()) continue;
      add(fmt::format("callback '{}' was tried", callback.callback), Outcome::warning,
          callback.skipped);
    }
  }

  // Of a manifest that names hooks: the same that the callback wants.
  void check_hooks(const CallbackProbe& callback) {
    const auto manifest = read_manifest(candidate_);
    const CallbackManifest* const described = manifest->find(callback.callback);
    if (described == nullptr || described->hooks.empty()) return;
    const std::vector<std::string> unnamed = without(callback.hooks, described->hooks);
    const std::vector<std::string> unwanted = without(described->hooks, callback.hooks);
    std::vector<std::string> found;
    if (!unnamed.empty()) {
      found.push_back(
          fmt::format("it wants {}, which \"hooks\" doesn't name", join_quoted(unnamed, "and")));
    }
    if (!unwanted.empty()) {
      found.push_back(
          fmt::format("\"hooks\" names {}, which it doesn't want", join_quoted(unwanted, "and")));
    }
    add(fmt::format("callback '{}' wants the hooks that its manifest names", callback.callback),
        Outcome::warning, join(found, "; "));
  }

  static std::vector<std::string> without(const std::vector<std::string>& names,
                                          const std::vector<std::string>& others) {
    std::vector<std::string> left;
    std::ranges::copy_if(names, std::back_inserter(left), [&](const std::string& name) {
      return std::ranges::find(others, name) == others.end();
    });
    return left;
  }

  const Candidate& candidate_;
  const HostDirectories& directories_;
  const ProbeOptions& options_;
  Validation result_;
};

}  // namespace

bool Validation::ok() const noexcept {
  return std::ranges::none_of(
      checks, [](const ValidationCheck& check) { return check.outcome == Outcome::failed; });
}

Validation validate_plugin(const Candidate& candidate, const HostDirectories& directories,
                           const ProbeOptions& options) {
  return Validator(candidate, directories, options).run();
}

ConfigValue to_json(const Validation& validation) {
  ConfigValue root = ConfigValue::object();
  root.set("id", validation.candidate.summary.id);
  root.set("version", validation.candidate.summary.version);
  root.set("path", validation.candidate.library.string());
  root.set("ok", validation.ok());
  root.set("checks", grapnel::to_json(validation.checks));
  root.set("probe", validation.probe ? to_json(*validation.probe) : ConfigValue());
  return root;
}

}  // namespace grapnel::host
