// Visibility of grapnel_base's public classes and functions.
//
// base is a static library that ends up in the core shared library and in programs. What is marked
// GRAPNEL_BASE_API stays visible, so that a process has one log sink and one type_info for each
// exception, wherever it was thrown. Everything else is hidden by the build's default. Windows cannot
// share like that: there each DLL or program that links base has a log sink of its own.
#pragma once

#if defined(_WIN32)
#define GRAPNEL_BASE_API
#else
#define GRAPNEL_BASE_API __attribute__((visibility("default")))
#endif
