#include <grapnel/host/probe.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <grapnel/base/digest.h>
#include <grapnel/base/error.h>
#include <grapnel/base/files.h>
#include <grapnel/base/process.h>
#include <grapnel/base/text.h>
#include <grapnel/host/instance_check.h>
#include <grapnel/host/loader.h>
#include <grapnel/host/process_state.h>
#include <grapnel/host/store.h>

#include "platform.h"
#include "probe_host.h"
#include "probe_report.h"

namespace grapnel::host {
namespace {

// Never freed: a thread of the plugin may call it late.
ProbeHost& keep(std::unique_ptr<ProbeHost> host) {
  static auto& kept = *new std::vector<std::unique_ptr<ProbeHost>>;
  return *kept.emplace_back(std::move(host));
}

// What a plugin leaves changed that is no state to be put back: descriptors that it closed or
// replaced, and a second process that returned from its function, which ends.
class Leftovers {
 public:
  Leftovers() : process_(process_id()), descriptors_(open_descriptors()) {}

  // After each function of the plugin.
  void end_forked_child() const noexcept {
    if (process_id() != process_) std::_Exit(kForked);
  }

  // Parts of a sentence: "the descriptor 1 (standard output)".
  [[nodiscard]] std::vector<std::string> find() const {
    std::vector<std::string> found;
    const auto now = open_descriptors();
    for (const auto& [number, target] : descriptors_) {
      const auto same = now.find(number);
      if (same != now.end() && same->second == target) continue;
      const char* const label = number == 0   ? "standard input"
                                : number == 1 ? "standard output"
                                : number == 2 ? "standard error"
                                              : "a file of the program";
      found.push_back(fmt::format("the descriptor {} ({})", number, label));
    }
    if (wait_for_child(kForked, 2)) found.emplace_back("the number of processes (it forked)");
    return found;
  }

 private:
  static constexpr int kForked = 86;
  std::int64_t process_;
  std::map<int, std::string> descriptors_;
};

// Creates one callback as a training would, and destroys it.
class CallbackTrial {
 public:
  CallbackTrial(const LoadedPlugin& plugin, const CallbackManifest& callback,
                const Leftovers& leftovers, ProbeReportWriter& report)
      : plugin_(plugin),
        callback_(callback),
        leftovers_(leftovers),
        report_(report),
        host_(keep(std::make_unique<ProbeHost>(
            PluginSite{plugin.manifest().id, plugin.manifest().version, callback.name, {}},
            default_parameters()))) {}

  CallbackProbe run() {
    probe_.callback = callback_.name;
    if (probe_.skipped.empty()) try_out();
    probe_.extensions = host_.asked_for();
    return std::move(probe_);
  }

 private:
  Parameters default_parameters() {
    try {
      return callback_.parameters.defaults(callback_.name);
    } catch (const ConfigError& error) {
      probe_.skipped = fmt::format("a parameter has no default: {}", error.what());
      return {};
    }
  }

  void step(std::string_view what) {
    report_.step(fmt::format("{} the callback '{}'", what, callback_.name));
  }

  // "create failed: <what the plugin said>"
  void fail(std::string_view function, std::int32_t status) {
    const std::string said = host_.failure();
    probe_.failure =
        fmt::format("{} {}", function,
                    said.empty() ? fmt::format("failed with status {} and gave no reason", status)
                                 : "failed: " + said);
    probe_.wants_training = host_.was_refused_a_service();
    if (probe_.wants_training) {
      probe_.failure +=
          "; it had called services that only a training offers, so it may work there";
    }
  }

  void try_out() {
    const grapnel_factory* const factory = plugin_.factory(callback_.name);
    step("creating");
    grapnel_instance* instance = nullptr;
    const std::int32_t status = factory->create(factory, host_.abi(), &instance);
    leftovers_.end_forked_child();
    if (status != GRAPNEL_OK) return fail("create", status);
    probe_.failure = instance_fault(instance);
    if (!probe_.failure.empty()) return;  // its layout is unknown, so it can't be destroyed
    step("initializing");
    const std::int32_t init_status = instance->init(instance, host_.abi());
    leftovers_.end_forked_child();
    if (init_status == GRAPNEL_OK) {
      read_hooks(*instance);
    } else {
      fail("init", init_status);
    }
    step("destroying");
    const std::int32_t destroy_status = instance->destroy(instance);
    leftovers_.end_forked_child();
    if (destroy_status != GRAPNEL_OK && probe_.failure.empty()) fail("destroy", destroy_status);
  }

  void read_hooks(const grapnel_instance& instance) {
    probe_.failure = hook_list_fault(instance);
    if (!probe_.failure.empty()) return;
    for (std::uint32_t i = 0; i < instance.hook_count; ++i) {
      const grapnel_hook_entry* const entry = instance.hooks[i];
      if (std::string fault = hook_entry_fault(entry); !fault.empty()) {
        probe_.failure = std::move(fault);
        return;
      }
      std::string name = hook_label(entry->hook);
      if (std::ranges::find(probe_.hooks, name) != probe_.hooks.end()) {
        probe_.failure = fmt::format("it lists {} twice", name);
      }
      probe_.hooks.push_back(std::move(name));
    }
  }

  const LoadedPlugin& plugin_;
  const CallbackManifest& callback_;
  const Leftovers& leftovers_;
  ProbeReportWriter& report_;
  CallbackProbe probe_;  // before host_, whose constructor may set why the callback is skipped
  ProbeHost& host_;
};

ProbeFindings try_out(const ProbeChildOptions::Plugin& files, ProbeReportWriter& report) {
  ProbeFindings findings;
  try {
    const std::string digest = hex(sha256_file(files.library));
    // Before the first step: the plugin is not responsible for its copy's directory.
    if (const std::string damage = stored_file_damage(files.library, digest); !damage.empty()) {
      throw Error(damage);
    }
    const Leftovers leftovers;
    report.step("loading it");
    const LoadedPlugin& plugin =
        load_plugin({.manifest = std::make_shared<const Manifest>(parse_manifest(
                         grapnel::read_file(files.manifest, max_manifest_bytes), "plugin.json")),
                     .library = files.library,
                     .digest = digest,
                     .origin = files.origin,
                     .reason = "probe",
                     .order_reason = {}});
    leftovers.end_forked_child();
    findings.changed = plugin.changed();
    for (const CallbackManifest& callback : plugin.manifest().callbacks) {
      ProcessStateGuard guard;
      findings.callbacks.push_back(CallbackTrial(plugin, callback, leftovers, report).run());
      for (std::string& what : guard.restore()) findings.changed.push_back(std::move(what));
    }
    for (std::string& what : leftovers.find()) findings.changed.push_back(std::move(what));
  } catch (const std::exception& error) {
    findings.failure = error.what();
  }
  return findings;
}

}  // namespace

void run_probe_child(const ProbeChildOptions& options) {
  ProbeReportWriter report(options.report);
  confine_this_process(probe_memory_bytes);
  std::vector<ProbeFindings> all;
  for (const ProbeChildOptions::Plugin& plugin : options.plugins) {
    all.push_back(try_out(plugin, report));
  }
  // Static destructors run after this; a crash in them counts too.
  if (std::ranges::all_of(all, &std::string::empty, &ProbeFindings::failure)) {
    report.step(ending_step);
  }
  for (const ProbeFindings& findings : all) report.done(findings);
}

}  // namespace grapnel::host
