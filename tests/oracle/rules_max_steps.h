// The rule about resumed runs with max_steps.
//
// Lightning takes every such run for one within an epoch, also from a checkpoint of an epoch's end. The
// sanity check is left out then, the next epoch passes without a step, and where no step is left the
// epoch that is over isn't counted. Only recordings that show one of the last two are the rule's.
#pragma once

#include <string>
#include <vector>

#include "case.h"

namespace grapnel::oracle {

bool resumes_with_max_steps(const Case& test);
std::vector<std::string> check_every_epoch_trained(const Case& test, const Json& observed);

}  // namespace grapnel::oracle
