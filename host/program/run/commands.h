// The table of grapnel-run's subcommands. One more is a file with a function add_...(), its
// declaration here, and its line in main.cpp; and, for `grapnel` to hand it over, its line in
// ../run_program.cpp.
#pragma once

#include <CLI/App.hpp>

namespace grapnel::program {

struct Context {
  int exit_code = 0;
};

void add_fit(CLI::App& app, Context& context);
void add_validate(CLI::App& app, Context& context);
void add_test(CLI::App& app, Context& context);
void add_predict(CLI::App& app, Context& context);
void add_callbacks(CLI::App& app, Context& context);

}  // namespace grapnel::program
