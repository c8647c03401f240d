// Rules about evaluations of a checkpoint.
#pragma once

#include <string>
#include <vector>

#include "case.h"

namespace grapnel::oracle {

bool evaluates_after_fit(const Case& test);
std::vector<std::string> check_bookkeeping_stays(const Case& test, const Json& observed);

}  // namespace grapnel::oracle
