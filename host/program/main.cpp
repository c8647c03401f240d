// grapnel: finds, enables and checks plugins, inspects checkpoints, and runs grapnel-run for
// training. Links neither LibTorch nor core, so that it answers in milliseconds.
#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <csignal>
#include <string>
#include <vector>

#include <grapnel/base/error.h>
#include <grapnel/host/manifest.h>
#include <grapnel/host/this_process.h>

#include "commands.h"
#include "output.h"
#include "run_program.h"
#include "usage.h"

namespace grapnel::program {
namespace {

std::string version_text() {
  return fmt::format("grapnel {} (plugin ABI {})\n", GRAPNEL_VERSION, host::host_abi.to_string());
}

int run(const std::vector<std::string>& arguments) {
  if (!arguments.empty() && is_run_command(arguments.front())) run_program(arguments);

  Context context;
  CLI::App app("Trains LibTorch models, extended by callback plugins.", "grapnel");
  app.get_formatter()->column_width(28);
  app.set_version_flag("--version", version_text(), "Print the version and exit");
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  grapnel plugin list\n"
      "  grapnel plugin enable nan_guard\n"
      "  grapnel fit --config run.json");
  add_commands(app, context);
  for (CLI::App* group : app.get_subcommands({})) {
    if (!group->get_subcommands({}).empty()) group->require_subcommand(1);
  }
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    print(app.help());  // of the innermost command
  } catch (const CLI::CallForAllHelp&) {
    print(app.help("", CLI::AppFormatMode::All));
  } catch (const CLI::CallForVersion&) {
    print(version_text());
  } catch (const CLI::ParseError& error) {
    print_error(explain_usage(app, error), full_name(innermost(app)));
    return static_cast<int>(ExitCode::usage);
  }
  return context.exit_code;
}

}  // namespace
}  // namespace grapnel::program

int main(int argc, char** argv) {
  using namespace grapnel;
  host::open_missing_streams();
#if !defined(_WIN32)
  // The parent process may ignore it, which is inherited: children could not be waited for.
  std::signal(SIGCHLD, SIG_DFL);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of write()
#endif
  try {
    program::show_log();
    return program::run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    program::print_error(program::error_text(error));
    return exit_code_of(error);
  }
}
