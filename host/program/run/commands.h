// The table of grapnel-run's subcommands. To add one, write a file with a function add_...(),
// declare it here, and add a line to main.cpp and, so that `grapnel` forwards it, to
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
