// What a plugin's function changes in the process is undone and named: signal handlers, blocked
// signals, the umask, the working directory, the locale, the environment.
#pragma once

#include <cstdint>
#include <optional>

#include <grapnel/host/process_state.h>

#include "instance_host.h"

namespace grapnel::bridge {

// Around one call. Some tens of microseconds: not for every batch.
class ProcessWatch {
 public:
  // Inside of a ProcessStateClaim, undoes first what earlier calls have changed.
  ProcessWatch(InstanceHost& host, const Call& call);
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

  // After the call.
  void undo_changes();

 private:
  InstanceHost& host_;
  const Call& call_;
  std::int64_t process_;  // its number: a fork that goes around fork() is seen by it
  std::optional<host::ProcessStateGuard> state_;
};

}  // namespace grapnel::bridge
