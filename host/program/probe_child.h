// The process in which plugins are probed. `grapnel` starts it for itself: its own program, or
// grapnel-run for a plugin that needs LibTorch.
#pragma once

#include <CLI/App.hpp>

namespace grapnel::program {

struct Context;

// Adds the hidden command `probe-child`.
void add_probe_child(CLI::App& parent, Context& context);

}  // namespace grapnel::program
