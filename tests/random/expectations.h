// What an undisturbed training must have done, whatever its callbacks are: faults that a stopped and
// resumed run shares with it would not show otherwise.
#pragma once

#include <vector>

#include "compare.h"
#include "plan.h"
#include "training.h"

namespace grapnel::random_test {

// The differences have the kind "expectation".
std::vector<Difference> unmet_expectations(const Plan& plan, const Ending& ending);

}  // namespace grapnel::random_test
