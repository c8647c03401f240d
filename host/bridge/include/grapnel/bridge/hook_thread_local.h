// For thread-local variables that every hook reads: their place is known when the program starts, so that
// no function is called to find them. Where the bridge is part of a library that is loaded later, they
// take a few bytes of what the C library keeps free for that.
#pragma once

#if defined(__ELF__)
#define GRAPNEL_HOOK_THREAD_LOCAL [[gnu::tls_model("initial-exec")]]
#else
#define GRAPNEL_HOOK_THREAD_LOCAL
#endif
