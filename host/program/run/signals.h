// Ctrl-C and SIGTERM while a trainer runs: the first requests an orderly stop, the second of the
// same kind ends the process immediately.
#pragma once

#include <grapnel/trainer.h>

namespace grapnel::program {

// Handles the signals for a scope. One at a time in a process.
class SignalScope {
 public:
  explicit SignalScope(Trainer& trainer);
  ~SignalScope();
  SignalScope(const SignalScope&) = delete;
  SignalScope& operator=(const SignalScope&) = delete;

 private:
  using Handler = void (*)(int);
  Handler interrupt_before_;
  Handler terminate_before_;
};

}  // namespace grapnel::program
