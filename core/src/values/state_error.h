// What is wrong with a state, and where: so that an error about a checkpoint can name the key.
#pragma once

#include <string>

#include "grapnel/base/error.h"
#include "grapnel/state_dict.h"

namespace grapnel {

// A value of another type than the one asked for, or a missing key.
class StateError final : public CheckpointError {
 public:
  // place: the StateValue or the StateDict; only compared, never used.
  StateError(const std::string& message, const void* place)
      : CheckpointError({}, message), detail(message), where(place) {}

  const std::string detail;  // the message alone
  const void* const where;
};

// The keys that lead to the value or dictionary at an address in the tree: "loops.fit_loop.epoch".
// Empty when it isn't in it, or is its root.
std::string place_of(const StateDict& root, const void* where);

}  // namespace grapnel
