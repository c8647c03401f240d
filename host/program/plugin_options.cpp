#include "plugin_options.h"

#include <fmt/format.h>

#include <grapnel/base/platform.h>
#include <grapnel/base/text.h>

#include "run_program.h"

namespace grapnel::program {

host::DiscoveryOptions PluginOptions::discovery() const {
  return {.plugin_path = plugin_path};
}

void add_plugin_options(CLI::App& command, PluginOptions& options) {
  command
      .add_option("--plugin-path", options.plugin_path,
                  "Directories to search before all others; may be given several times")
      ->type_name("DIR")
      ->allow_extra_args(false)
      ->check(CLI::Validator(
          [](const std::string& list) -> std::string {
            // A list may contain missing directories; a single missing one is an error.
            const bool is_list = list.find(path_list_separator()) != std::string::npos;
            if (is_list || std::filesystem::is_directory(list)) return {};
            return "there is no directory " + quote(list);
          },
          ""));
  command.add_flag("--json", options.json, "Print JSON");
}

host::ProbeOptions DeadlineOption::probe() const {
  return {.program = executable_path(),
          .libtorch_program = training_program(),
          .deadline_seconds = seconds};
}

void add_deadline_option(CLI::App& command, DeadlineOption& option) {
  command
      .add_option("--deadline", option.seconds,
                  "Kill a probe that takes longer, in seconds (default 10)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.01, 86400.0));
}

std::string describe_probe(const host::ProbeResult& probe) {
  return fmt::format("{} after {}{}{}", to_string(probe.end), human_seconds(probe.seconds),
                     probe.cause.empty() ? "" : ": ", printable(probe.cause));
}

std::string probe_error_lines(const host::ProbeResult& probe) {
  std::string lines;
  std::string_view rest = probe.error_tail;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    lines += "            | " + printable(rest.substr(0, end)) + "\n";
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return lines.empty() ? lines : "          The end of its standard error:\n" + lines;
}

}  // namespace grapnel::program
