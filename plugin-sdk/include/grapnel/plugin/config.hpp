// The namespace of the C++ wrapper.
//
// Plugins in one process may have been compiled with different releases of this wrapper and must
// not share any of it: the namespace is hidden, and has an inline name per minor release.
#pragma once

#if defined(_WIN32)
#define GRAPNEL_PLUGIN_HIDDEN
#else
#define GRAPNEL_PLUGIN_HIDDEN __attribute__((visibility("hidden")))
#endif

#include <grapnel/abi.h>

// v1_2 for ABI 1.2: one per ABI, so that a library that includes two of them has no clash.
#define GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_NAMESPACE_OF(GRAPNEL_ABI_MAJOR, GRAPNEL_ABI_MINOR)
#define GRAPNEL_PLUGIN_NAMESPACE_OF(major, minor) GRAPNEL_PLUGIN_JOIN(major, minor)
#define GRAPNEL_PLUGIN_JOIN(major, minor) v##major##_##minor

namespace grapnel::plugin {
inline namespace GRAPNEL_PLUGIN_NAMESPACE GRAPNEL_PLUGIN_HIDDEN {}
}  // namespace grapnel::plugin
