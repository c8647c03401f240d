// The rule about options whose value means nothing.
#pragma once

#include <string>
#include <vector>

#include "case.h"

namespace grapnel::oracle {

bool has_meaningless_option(const Case& test);
std::vector<std::string> check_refused(const Case& test, const Json& observed);

}  // namespace grapnel::oracle
