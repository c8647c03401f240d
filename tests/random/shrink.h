// Makes a plan that differs smaller: takes pieces out as long as the rest still differs in the same way.
#pragma once

#include <filesystem>
#include <string>

#include "plan.h"

namespace grapnel::random_test {

// what: the kind of the difference that must stay. runs: how many cases to try at most.
Plan shrink(const Plan& plan, const std::string& what, const std::filesystem::path& workspace,
            bool all, int runs = 80);

}  // namespace grapnel::random_test
