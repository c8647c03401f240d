// For a program: while a run lasts, nobody but its plugins changes the state of the process.
//
// Without it, what a plugin changes in one of the hooks that recur with every batch is only seen in the
// calls that are looked at (the first, one in 256, the first of an epoch). With it, the next look
// undoes what was changed since the run began, whichever call did it.
#pragma once

#include <memory>

namespace grapnel::host {
class ProcessStateGuard;
}

namespace grapnel::bridge {

class ProcessStateClaim {
 public:
  // Takes the state as it is now, on the thread of the run. Claims don't nest.
  ProcessStateClaim();
  // Looks once more.
  ~ProcessStateClaim();
  ProcessStateClaim(const ProcessStateClaim&) = delete;
  ProcessStateClaim& operator=(const ProcessStateClaim&) = delete;

 private:
  std::unique_ptr<host::ProcessStateGuard> state_;
};

}  // namespace grapnel::bridge
