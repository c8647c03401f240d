// The C++ side of a plugin: one include. C++17 or later, any standard library, no LibTorch.
//
//   #include <grapnel/plugin.hpp>
//   class Mine final : public grapnel::plugin::Callback { ... };
//   GRAPNEL_PLUGIN(grapnel::plugin::callback<Mine>("mine"))
//
// See plugin/services.hpp for what a hook may do, hooks.def for the hooks, plugin/tensor.hpp for
// tensors, plugin/state.hpp for state. Everything is header-only and hidden inside the plugin; only
// the C ABI of abi.h crosses to the host. Services may be used only on the thread that called the
// hook, a Logger on any.
#pragma once

#include <cmath>

#include <grapnel/plugin/export.hpp>
