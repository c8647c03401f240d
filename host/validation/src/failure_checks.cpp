// The group behaviour, continued: a host that lacks what is optional, or whose services fail.
#include <fmt/format.h>

#include "subject.h"

namespace grapnel::validation {
namespace {

using testkit::RecordedTraining;
using testkit::RecordingHost;
using testkit::run_training;

Verdict no_optional_extension(Subject& subject) {
  const auto& optional = subject.plugin().manifest().optional_extensions;
  if (optional.empty()) return skip("it declares no optional extension");
  return subject.each([&](const host::CallbackManifest& callback) {
    Instance instance = subject.start(callback, [&](RecordingHost& host) {
      host.missing = {optional.begin(), optional.end()};
    });
    if (instance.callback == nullptr) {
      return fail("a host without its optional extensions can't create it: " + instance.refusal);
    }
    const std::string fault = training_fault(run_training(*instance.callback), instance.host);
    return fault.empty() ? pass() : fail("in a host without its optional extensions " + fault);
  });
}

// Each service that it calls fails in turn. It may fail then, but as the contract says.
Verdict failing_services(Subject& subject, std::int32_t status, const char* words) {
  return subject.each([&](const host::CallbackManifest& callback) {
    std::set<std::string> services;
    {
      Instance usual = subject.start(callback);
      if (usual.callback == nullptr) return skip("it can't be created: " + usual.refusal);
      const RecordedTraining done = run_training(*usual.callback);
      if (!is_status_of_plugin(done.status)) return skip("its hooks return no valid status anyway");
      services = usual.host.services;
    }
    services.erase("host.fail");
    for (const std::string& service : services) {
      Instance instance = subject.start(callback, [&](RecordingHost& host) {
        host.failing = {service};
        host.failing_status = status;
      });
      if (instance.callback == nullptr) continue;  // it may refuse
      const RecordedTraining done = run_training(*instance.callback);
      if (is_status_of_plugin(done.status)) continue;
      return fail(fmt::format("where {} answers {}, {} answered {}", service, words,
                              done.failed_hook, done.status));
    }
    return pass(fmt::format("{} services", services.size()));
  });
}
Verdict services_fail(Subject& subject) {
  return failing_services(subject, GRAPNEL_PENDING, "GRAPNEL_PENDING");
}
Verdict services_unsupported(Subject& subject) {
  return failing_services(subject, GRAPNEL_UNSUPPORTED, "GRAPNEL_UNSUPPORTED");
}
Verdict services_find_nothing(Subject& subject) {
  return failing_services(subject, GRAPNEL_NOT_FOUND, "GRAPNEL_NOT_FOUND");
}
Verdict services_not_now(Subject& subject) {
  return failing_services(subject, GRAPNEL_NOT_NOW, "GRAPNEL_NOT_NOW");
}

}  // namespace

std::vector<Check> failure_checks() {
  return {
      {"behaviour.no_optional_extension", "it runs without its optional extensions",
       no_optional_extension},
      {"behaviour.services_fail", "it survives the failure of each service", services_fail},
      {"behaviour.services_unsupported", "it survives a host that lacks any one service",
       services_unsupported},
      {"behaviour.services_find_nothing", "it survives services that find nothing",
       services_find_nothing},
      {"behaviour.services_not_now", "it survives services that are not possible now",
       services_not_now},
  };
}

}  // namespace grapnel::validation
