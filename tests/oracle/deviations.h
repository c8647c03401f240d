// Where the library holds something else than Lightning does, on purpose.
//
// A deviation is a rule: a name, which cases it speaks of (by what they contain, never by their name),
// what holds instead (checked), and why. A case that differs from its recording passes when a rule
// speaks of it and what the rule says holds; the report counts such cases apart.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "case.h"

namespace grapnel::oracle {

struct Deviation {
  std::string_view name;
  std::string_view why;
  bool (*applies)(const Case& test);
  // The problems with what holds instead; none when it does.
  std::vector<std::string> (*check)(const Case& test, const Json& observed);
};

const std::vector<Deviation>& deviations();

}  // namespace grapnel::oracle
