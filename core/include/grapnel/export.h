// Marks what the core shared library exports; everything else in it is hidden.
#pragma once

#if defined(_WIN32)
#if defined(GRAPNEL_CORE_BUILD)
#define GRAPNEL_CORE_API __declspec(dllexport)
#else
#define GRAPNEL_CORE_API __declspec(dllimport)
#endif
#else
#define GRAPNEL_CORE_API __attribute__((visibility("default")))
#endif
