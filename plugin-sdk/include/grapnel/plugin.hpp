// The C++ side of a plugin: one include. C++17 or later, any standard library, no LibTorch.
//
//   #include <grapnel/plugin.hpp>
//   class Mine final : public grapnel::plugin::Callback { ... };
//   GRAPNEL_PLUGIN(grapnel::plugin::callback<Mine>("mine"))
//
// What a hook may do stands in plugin/services.hpp, the hooks in hooks.def, tensors in plugin/tensor.hpp,
// state in plugin/state.hpp. Everything is header-only and hidden inside the plugin: what crosses to the
// host is the C ABI of abi.h alone. Services are for the thread that called the hook; only a Logger may be
// used from others.
#pragma once

#include <cmath>

#include <grapnel/plugin/export.hpp>
