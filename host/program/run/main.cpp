// grapnel-run: trains and evaluates the model that run.json describes. Started by `grapnel`.
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <string>
#include <vector>

#include <grapnel/base/error.h>
#include <grapnel/base/log.h>
#include <grapnel/host/this_process.h>
#include <grapnel/version.h>

#include "commands.h"
#include "output.h"
#include "plugin_watch.h"
#include "probe_child.h"
#include "run_log.h"
#include "usage.h"
#include "validate_child.h"

namespace grapnel::program {
namespace {

constexpr void (*kCommands[])(CLI::App&, Context&) = {
    add_fit,       add_validate,    add_test,          add_predict,
    add_callbacks, add_probe_child, add_validate_child};

int run(std::vector<std::string> arguments) {
  Context context;
  CLI::App app("Trains LibTorch models, extended by callback plugins.", "grapnel");
  app.get_formatter()->column_width(28);
  const std::string version = fmt::format("grapnel {}\n", version_string());
  app.set_version_flag("--version", version, "Print the version and exit");
  app.require_subcommand(1);
  for (const auto add : kCommands) add(app, context);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    print(innermost(app).help());
  } catch (const CLI::CallForVersion&) {
    print(version);
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
  host::OwnOutput::claim();
  program::RunLog log;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto run = [&] {
    try {
      return program::run(arguments);
    } catch (const c10::Error& error) {  // without its backtrace
      if (!log.has_shown_cause()) program::print_error(error.what_without_backtrace());
      return exit_code_of(error);
    } catch (const std::exception& error) {
      if (!log.has_shown_cause()) program::print_error(program::error_text(error));
      return exit_code_of(error);
    }
  };
  try {
    program::watch_plugins(arguments);
  } catch (const std::exception& error) {  // no home directory: then nothing is noted
    log_debug("crashes of plugins are not noted: {}", error.what());
  }
  program::end_process(run());
}
