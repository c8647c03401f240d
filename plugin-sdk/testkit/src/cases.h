// The cases of a program, run by the kit's main().
#pragma once

namespace grapnel::testkit {

/// Runs all and prints their results; the program's exit status: 1 when one failed or none exists.
int run_cases();

}  // namespace grapnel::testkit
