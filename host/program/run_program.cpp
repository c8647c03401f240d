#include "run_program.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include <grapnel/base/error.h>
#include <grapnel/base/platform.h>
#include <grapnel/base/process.h>
#include <grapnel/base/text.h>

namespace grapnel::program {
namespace {

struct RunCommand {
  const char* name;
  const char* summary;
};

constexpr RunCommand run_commands[] = {
    {"fit", "Train a model described by a run.json"},
    {"validate", "Evaluate a model on its validation data"},
    {"test", "Evaluate a model on its test data"},
    {"predict", "Write a model's predictions"},
    {"callbacks", "List the built-in callbacks and their parameters"},
};

#if defined(_WIN32)
constexpr std::string_view program_name = "grapnel-run.exe";
#else
constexpr std::string_view program_name = "grapnel-run";
#endif

// Where it may be, seen from this program.
std::array<std::filesystem::path, 2> places() {
  const std::filesystem::path here = executable_path().parent_path();
  return {here / program_name, here.parent_path() / "libexec" / "grapnel" / program_name};
}

}  // namespace

bool is_run_command(std::string_view name) {
  return std::ranges::any_of(run_commands,
                             [&](const RunCommand& command) { return command.name == name; });
}

void add_run_commands(CLI::App& app) {
  for (const RunCommand& command : run_commands) app.add_subcommand(command.name, command.summary);
}

std::filesystem::path training_program() {
  for (const std::filesystem::path& place : places()) {
    if (file_identity(place)) return place;
  }
  return {};
}

void run_program(const std::vector<std::string>& arguments) {
  if (const auto program = training_program(); !program.empty()) {
    replace_process(program, arguments);
  }
  throw Error(
      fmt::format("'grapnel {}' needs the program {}, which trains with "
                  "LibTorch and is not installed; tried {} and {}; build "
                  "Grapnel with LibTorch (GRAPNEL_TRAINING=ON) and install it",
                  printable(arguments.front()), program_name, quote(places()[0].string()),
                  quote(places()[1].string())));
}

}  // namespace grapnel::program
