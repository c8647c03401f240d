// The rule about metrics without a format in the names of files.
#pragma once

#include <string>
#include <vector>

#include "case.h"

namespace grapnel::oracle {

bool names_have_all_digits(const Case& test);
std::vector<std::string> check_names_nearly(const Case& test, const Json& observed);

}  // namespace grapnel::oracle
