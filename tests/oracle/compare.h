// Compares what was recorded with what happened here.
//
// Integers, texts, traces, file names and sets of keys must be equal, numbers
// nearly (values.h); messages must name the same facts (facts.h); types of exceptions must stand for the
// recorded ones (exceptions.h).
#pragma once

#include <string>
#include <vector>

#include "case.h"

namespace grapnel::oracle {

// One line each, the most telling first: the exception, then the trace, then the rest in the case's
// order. `expect` may be another than the case's own, for deviations. Empty: all is as recorded.
std::vector<std::string> differences(const Case& test, const Json& expect, const Json& observed);

}  // namespace grapnel::oracle
