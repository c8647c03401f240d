// Threads that plugins make: whose each is, so that a crash on one is told, and a stack on which a
// handler can tell it when the thread's own is used up. On Linux; elsewhere no thread has an owner.
//
// A thread is a plugin's when its library calls pthread_create(), as C, Rust and a C++ runtime of its
// own do, when its function is called by std::thread of the system's C++ runtime, or when a thread of
// the plugin or the library's constructor makes it.
#pragma once

#include <grapnel/host/plugin_code.h>

namespace grapnel::program {

// Of the calling thread; nullptr: no plugin's. Async-signal-safe.
const host::PluginCode* thread_owner() noexcept;

// For the calling thread's handlers of signals, until it ends.
class SignalStack {
 public:
  SignalStack() noexcept;
  ~SignalStack();
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;

 private:
  void* memory_;
};

}  // namespace grapnel::program
