// Whose code an address lies in: for what must be said of code that no call of the host runs, such as
// a thread that a plugin made.
#pragma once

#include <string>

namespace grapnel::host {

// A plugin whose library is loaded. Lives as long as the process.
struct PluginCode {
  std::string plugin;
  std::string version;
};

// nullptr: no loaded plugin's, or a system that doesn't tell. Async-signal-safe. [any-thread]
[[nodiscard]] const PluginCode* plugin_at(const void* address) noexcept;

// Whether a thread that begins with this function is a std::thread's: it lies in the C++ runtime that the
// host and some plugins share, and its argument is an object of the class that the thread was made of.
// False before the first plugin is loaded, and where the runtime is part of the program. [any-thread]
[[nodiscard]] bool starts_std_threads(const void* function) noexcept;

// Of a library that is loaded now: `inside` is an address in it, such as its entry's. Called by
// load_plugin().
void note_plugin_code(PluginCode code, const void* inside);

}  // namespace grapnel::host
