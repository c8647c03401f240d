// The plugin under test, loaded, and trainings of its callbacks in the test kit's host.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include <grapnel/host/loader.h>
#include <grapnel/testkit/recorded_training.h>
#include <grapnel/testkit/recording_host.h>

#include "check.h"
#include "parameter_values.h"

namespace grapnel::validation {

// One instance in a host of its own, which is not freed: a thread of the plugin may call late.
class Instance {
 public:
  explicit Instance(testkit::RecordingHost& its_host) : host(its_host), is_owner_(true) {}
  Instance(Instance&& other) noexcept;
  Instance& operator=(Instance&& other) = delete;
  ~Instance() { end(); }

  // destroy; afterwards every service answers GRAPNEL_NOT_NOW.
  void end();
  // end(), and the host is freed, so that nothing may use it: for counting memory.
  void end_with_host();

  testkit::RecordingHost& host;
  std::unique_ptr<testkit::RunningCallback> callback;
  std::string refusal;  // why create or init failed; then callback is null

 private:
  bool is_owner_;
};

class Subject {
 public:
  // directory: the working directory, in which the run and the plugin's data have theirs.
  Subject(const host::LoadedPlugin& plugin, std::filesystem::path directory);

  [[nodiscard]] const host::LoadedPlugin& plugin() const noexcept { return plugin_; }
  [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }

  // prepare: before create.
  using Prepare = std::function<void(testkit::RecordingHost&)>;
  [[nodiscard]] Instance start(const host::CallbackManifest& callback, const Prepare& prepare = {},
                               Parameters parameters = Parameters::usual) const;

  // The check of each callback: the first verdict that is not a pass, with the callback's name when
  // there are several; else the last.
  [[nodiscard]] Verdict each(
      const std::function<Verdict(const host::CallbackManifest&)>& check) const;
  // The same, with a new instance of each; skipped where that can't be created.
  [[nodiscard]] Verdict each_instance(const std::function<Verdict(Instance&)>& check) const;

 private:
  const host::LoadedPlugin& plugin_;
  std::filesystem::path directory_;
};

// Whether a hook answered with a status that exists: those of failures are expected.
[[nodiscard]] bool is_status_of_plugin(std::int32_t status) noexcept;
// "on_fit_start failed: <the plugin's text>"; empty when the training went well.
[[nodiscard]] std::string training_fault(const testkit::RecordedTraining& training,
                                         const testkit::RecordingHost& host);

}  // namespace grapnel::validation
