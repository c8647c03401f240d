// Enables plugins: tries each in a process of its own, copies it into the store, and records it.
//
// A plugin with which every training would fail is refused with the reason, unless it is forced: one
// that can't be loaded or whose callback can't be created with its default parameters (probe.h), or
// whose 'before' and 'after' contradict those of enabled ones. A library that passed before and links
// nothing that could have changed is not tried again.
//
// Many plugins are enabled together: probes run in parallel, and the record is written once.
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <grapnel/host/discovery.h>
#include <grapnel/host/enabled.h>
#include <grapnel/host/probe.h>

namespace grapnel::host {

struct EnableResult {
  enum class Action : std::uint8_t {
    enabled,
    updated,
    unchanged,
    repaired,  // it was enabled, and its copy was gone or had been changed
  };
  Action action = Action::enabled;
  EnabledPlugin plugin;
  std::string previous_version;  // of an update
  // Plugins of other ids whose place it took, as EnabledPlugin::describe() names them.
  std::vector<std::string> replaced;
  // Libraries that it is linked with (linked_libraries()): they are not in the store.
  std::vector<std::string> links;
  // What is wrong with it, a sentence each, although it was enabled.
  std::vector<std::string> concerns;
};

// "enabled", "updated", "unchanged", "repaired"
[[nodiscard]] std::string_view to_string(EnableResult::Action action) noexcept;

// Whether a plugin may take the place of others, enabled or found, whose ids it calls former ids of its
// own: their settings and their states in checkpoints become its own.
enum class Replace : std::uint8_t { no, yes };
// Whether a plugin is enabled with which trainings will fail.
enum class Force : std::uint8_t { no, yes };

struct EnableOptions {
  Replace replace = Replace::no;
  Force force = Force::no;
  ProbeOptions probe{};  // without a program nothing is tried
  // Where the plugins are that a plugin with former ids might replace; nullopt: only enabled ones count.
  std::optional<DiscoveryOptions> others{};
};

struct EnableOutcome {
  EnableResult result;
  std::exception_ptr failure;  // why it was not enabled; null when it was
};

// One outcome for each candidate. A failure is a PluginError when it is refused, shadowed, or changed
// since it was examined, can't run, or would replace a plugin of another id without Replace::yes; an
// IoError when it can't be copied. Throws, and enables none, when the record can't be read (ConfigError)
// or store or record can't be written (IoError that names the variables to set).
[[nodiscard]] std::vector<EnableOutcome> enable_plugins(const std::vector<Candidate>& candidates,
                                                        const HostDirectories& directories,
                                                        const EnableOptions& options);

// One, without trying it. Throws its failure.
[[nodiscard]] EnableResult enable_plugin(const Candidate& candidate,
                                         const HostDirectories& directories,
                                         Replace replace = Replace::no);

}  // namespace grapnel::host
