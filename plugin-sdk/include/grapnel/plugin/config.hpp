// The namespace of the C++ wrapper.
//
// Two plugins in one process may have been compiled with two releases of this wrapper. Nothing of it may
// be shared between them: the namespace is hidden, and inline with a name per minor release.
#pragma once

#if defined(_WIN32)
#define GRAPNEL_PLUGIN_HIDDEN
#else
#define GRAPNEL_PLUGIN_HIDDEN __attribute__((visibility("hidden")))
#endif

#include <grapnel/abi.h>

static_assert(GRAPNEL_ABI_MAJOR == 0 && GRAPNEL_ABI_MINOR == 1,
              "the wrapper's inline namespace is named for the ABI: rename it in plugin/*.hpp");

namespace grapnel::plugin {
inline namespace v0_1 GRAPNEL_PLUGIN_HIDDEN {}
}  // namespace grapnel::plugin
