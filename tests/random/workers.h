// Cases shared among several processes of this program.
#pragma once

#include "options.h"
#include "report.h"

namespace grapnel::random_test {

// Runs all cases, prints what the workers print, and adds up their counts.
void run_workers(const Options& options, Report& report);

}  // namespace grapnel::random_test
