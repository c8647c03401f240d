// The table of subcommands. One more is a file with a function add_...(), its declaration here, and
// its line in commands.cpp.
//
// Such a function makes the subcommand below `parent`, with its options, help and an example, and sets
// as its CLI11 callback what runs. A command that fails throws (main turns it into a message and an
// exit code) or, where the answer is an exit code, sets `exit_code`.
#pragma once

#include <CLI/App.hpp>
#include <string_view>

namespace grapnel::program {

// Shared by all commands.
struct Context {
  int exit_code = 0;
};

void add_checkpoint_show(CLI::App& parent, Context& context);
void add_checkpoint_verify(CLI::App& parent, Context& context);
void add_plugin_disable(CLI::App& parent, Context& context);
void add_plugin_enable(CLI::App& parent, Context& context);
void add_plugin_inspect(CLI::App& parent, Context& context);
void add_plugin_list(CLI::App& parent, Context& context);
void add_plugin_path(CLI::App& parent, Context& context);
void add_plugin_validate(CLI::App& parent, Context& context);
void add_probe_child(CLI::App& parent, Context& context);

// Everything that `grapnel` understands.
void add_commands(CLI::App& app, Context& context);

}  // namespace grapnel::program
