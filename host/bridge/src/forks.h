// A fork() in a plugin's code: a second process that would train on in the same run directory. What
// the plugin does with it, such as exec(), is its own; where the plugin's function returns in the child,
// the child ends.
//
// Only on POSIX systems; elsewhere it does nothing.
#pragma once

#include <grapnel/bridge/running_plugin.h>

namespace grapnel::bridge {

// Once per process; further calls do nothing.
void watch_forks() noexcept;

// Ends this child with a line that names the plugin and the function that runs.
[[noreturn]] void end_forked_child() noexcept;

}  // namespace grapnel::bridge
