// Visibility of grapnel_base's public classes and functions.
//
// Programs, the core library and task libraries of one process all use base. What is marked
// GRAPNEL_BASE_API is seen by all of them, so that a process has one log sink and one type_info for
// each exception, wherever it was thrown. Everything else is hidden by the build's default.
#pragma once

#if defined(_WIN32)
#define GRAPNEL_BASE_API
#else
#define GRAPNEL_BASE_API __attribute__((visibility("default")))
#endif
