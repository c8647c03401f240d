#include "subject.h"

#include <fmt/format.h>

#include <exception>
#include <utility>

#include <grapnel/base/text.h>

namespace grapnel::validation {

Instance::Instance(Instance&& other) noexcept
    : host(other.host),
      callback(std::move(other.callback)),
      refusal(std::move(other.refusal)),
      is_owner_(std::exchange(other.is_owner_, false)) {}

void Instance::end() {
  if (!is_owner_) return;
  if (callback) callback->destroy();
  callback.reset();
  host.ended = true;
}

void Instance::end_with_host() {
  end();
  is_owner_ = false;
  delete &host;
}

Subject::Subject(const host::LoadedPlugin& plugin, std::filesystem::path directory)
    : plugin_(plugin), directory_(std::move(directory)) {}

Instance Subject::start(const host::CallbackManifest& callback, const Prepare& prepare,
                        Parameters parameters) const {
  auto& host = *new testkit::RecordingHost;
  host.run_directory = (directory_ / "run").string();
  host.data_directory = (directory_ / "data").string();
  host.params = parameter_values(callback, parameters);
  testkit::add_small_model(host);
  if (prepare) prepare(host);
  Instance instance(host);
  try {
    instance.callback =
        std::make_unique<testkit::RunningCallback>(host, plugin_.entry(), callback.name);
  } catch (const std::exception& error) {
    instance.refusal = error.what();
  }
  return instance;
}

Verdict Subject::each(const std::function<Verdict(const host::CallbackManifest&)>& check) const {
  const auto& callbacks = plugin_.manifest().callbacks;
  Verdict last = skip("the library has no callbacks");
  for (const host::CallbackManifest& callback : callbacks) {
    last = check(callback);
    if (last.result == CheckResult::pass || last.result == CheckResult::skip) continue;
    if (callbacks.size() > 1) {
      last.detail = fmt::format("callback {}: {}", quote(callback.name), last.detail);
    }
    return last;
  }
  return last;
}

Verdict Subject::each_instance(const std::function<Verdict(Instance&)>& check) const {
  return each([&](const host::CallbackManifest& callback) {
    Instance instance = start(callback);
    if (instance.callback == nullptr) return skip("it can't be created: " + instance.refusal);
    return check(instance);
  });
}

bool is_status_of_plugin(std::int32_t status) noexcept {
  return status == GRAPNEL_OK || status == GRAPNEL_ERROR || status == GRAPNEL_PENDING;
}

std::string training_fault(const testkit::RecordedTraining& training,
                           const testkit::RecordingHost& host) {
  if (training.failed_hook.empty()) return {};
  if (training.status == GRAPNEL_ERROR && !host.failures.empty()) {
    return fmt::format("{} failed: {}", training.failed_hook, host.failures.back());
  }
  return fmt::format("{} answered {}", training.failed_hook, training.status);
}

}  // namespace grapnel::validation
