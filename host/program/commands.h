// The table of subcommands. To add one, write a file with a function add_...(), declare it here and
// add a line to commands.cpp.
//
// Such a function adds the subcommand to `parent`, with its options, help and an example, and sets
// its CLI11 callback to the code that runs. A command that fails throws (main turns it into a
// message and an exit code) or sets `exit_code`.
#pragma once

#include <CLI/App.hpp>
#include <string_view>

namespace grapnel::program {

// Shared by all commands.
struct Context {
  int exit_code = 0;
};

void add_checkpoint_diff(CLI::App& parent, Context& context);
void add_checkpoint_export(CLI::App& parent, Context& context);
void add_checkpoint_show(CLI::App& parent, Context& context);
void add_checkpoint_verify(CLI::App& parent, Context& context);
void add_plugin_disable(CLI::App& parent, Context& context);
void add_plugin_enable(CLI::App& parent, Context& context);
void add_plugin_inspect(CLI::App& parent, Context& context);
void add_plugin_list(CLI::App& parent, Context& context);
void add_plugin_path(CLI::App& parent, Context& context);
void add_plugin_validate(CLI::App& parent, Context& context);

// Adds all commands of `grapnel`.
void add_commands(CLI::App& app, Context& context);

}  // namespace grapnel::program
