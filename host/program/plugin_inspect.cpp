// grapnel plugin inspect
#include <fmt/format.h>

#include <memory>

#include <grapnel/base/error.h>
#include <grapnel/base/text.h>
#include <grapnel/base/text_table.h>
#include <grapnel/host/inspection.h>

#include "commands.h"
#include "output.h"
#include "plugin_options.h"

namespace grapnel::program {
namespace {

struct InspectOptions : PluginOptions {
  std::string plugin;
  bool probe = false;
  DeadlineOption deadline;
};

// The name, then the value, wrapped and indented.
void print_field(std::string_view name, const std::string& value) {
  constexpr int indent = 14;
  std::string lines = wrap(printable(value), output_width(), indent);
  if (!lines.empty()) print(lines.replace(0, indent, fmt::format("  {:<12}", name)));
}

void print_manifest(const host::Manifest& manifest) {
  print_field("License", manifest.license);
  print_field("ABI", fmt::format("{} (this host offers {})", manifest.abi.to_string(),
                                 host::offered_abi()));
  print_field("Requires", join(manifest.required_extensions));
  print_field("Optional", join(manifest.optional_extensions));
  print_field("Before", join(manifest.before));
  print_field("After", join(manifest.after));
  print_field("Aliases", join(manifest.aliases));
  print_field("Platforms", join(manifest.platforms));
}

void print_library(const host::LibraryFacts& facts) {
  print_field("Built for", facts.machine);
  print_field("Needs", join(facts.needed));
  const std::vector<std::string> libtorch = host::libtorch_libraries(facts.needed);
  if (!libtorch.empty()) {
    print_field("", fmt::format("it is linked with LibTorch ({}) and works only with that release",
                                join(libtorch)));
  }
}

void print_callback(const host::CallbackManifest& callback) {
  const int width = output_width();
  print(fmt::format("\nCallback {}\n", paint(printable(callback.name), Color::bold)));
  print(wrap(printable(callback.summary), width, 0));
  print(callback.parameters.specs().empty()
            ? std::string("  takes no parameters\n")
            : callback.parameters.to_help(2, width == 0 ? 100 : static_cast<std::size_t>(width)));
}

void print_text(const host::Inspection& inspection) {
  if (inspection.manifest) {
    const host::Manifest& manifest = *inspection.manifest;
    print(fmt::format("{} {}: {}\n", paint(printable(manifest.id), Color::bold),
                      printable(manifest.version), printable(manifest.name)));
    print(wrap(printable(manifest.summary), output_width(), 0) + "\n");
  }
  std::string state(to_string(inspection.state));
  if (!inspection.enabled_at.empty()) {
    state += fmt::format("; version {} was enabled at {}", inspection.enabled_version,
                         inspection.enabled_at);
  }
  print_field("State", state);
  print_field("", inspection.note);
  print_field("Library", inspection.path.string());
  print_field("Manifest", inspection.manifest_path.empty() ? "in the library"
                                                           : inspection.manifest_path.string());
  print_field("SHA-256", inspection.digest);
  if (inspection.manifest) print_manifest(*inspection.manifest);
  if (inspection.facts) print_library(*inspection.facts);
  print_field("Probe", inspection.probe ? fmt::format("{} ({})", describe_probe(*inspection.probe),
                                                      inspection.probe->probed_at)
                                        : "not probed yet; use --probe");
  if (inspection.probe && !inspection.probe->ok()) print(probe_error_lines(*inspection.probe));
  if (!inspection.manifest) return;
  for (const std::string& warning : inspection.manifest->warnings) {
    print_field("Warning", warning);
  }
  for (const host::CallbackManifest& callback : inspection.manifest->callbacks) {
    print_callback(callback);
  }
}

void run_inspect(const InspectOptions& options, Context& context) {
  const host::DiscoveryOptions discovery = options.discovery();
  std::optional<host::ProbeResult> probe;
  if (options.probe) {
    probe = probe_plugin(host::find_candidate(options.plugin, discovery), discovery.directories,
                         options.deadline.probe());
  }
  host::Inspection inspection = host::inspect_plugin(options.plugin, discovery);
  if (probe) inspection.probe = probe;  // even if the cache can't be written
  if (options.json) {
    print_json(to_json(inspection));
  } else {
    print_text(inspection);
  }
  if (probe && !probe->ok()) context.exit_code = static_cast<int>(ExitCode::plugin_refused);
}

}  // namespace

void add_plugin_inspect(CLI::App& parent, Context& context) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command = parent.add_subcommand("inspect", "Show what a plugin says about itself");
  command->add_option("PLUGIN", options->plugin, "An id, or the path of a library or manifest")
      ->required();
  command->add_flag("--probe", options->probe,
                    "Try it out in a separate process (this runs its code)");
  add_deadline_option(*command, options->deadline);
  add_plugin_options(*command, *options);
  command->footer(
      "Reads manifest and library; runs none of the plugin's code unless --probe is given. With\n"
      "--probe, exits with 4 when the plugin failed.\n"
      "\n"
      "Example:\n"
      "  grapnel plugin inspect nan_guard --probe");
  command->callback([options, &context] { run_inspect(*options, context); });
}

}  // namespace grapnel::program
