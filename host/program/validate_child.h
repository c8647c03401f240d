// The process in which a plugin is checked by `grapnel plugin validate`. `grapnel` starts it for itself: its
// own program, or grapnel-run for a plugin that needs LibTorch.
#pragma once

#include <CLI/App.hpp>

namespace grapnel::program {

struct Context;

// Adds the hidden command `validate-child`.
void add_validate_child(CLI::App& parent, Context& context);

}  // namespace grapnel::program
