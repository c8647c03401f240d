#include "check.h"

namespace grapnel::validation {

const std::vector<Check>& plugin_checks() {
  static const std::vector<Check> all = [] {
    std::vector<Check> checks;
    for (const auto group : {behaviour_checks, condition_checks, failure_checks, state_checks,
                             leak_checks, exit_checks, host_checks}) {
      for (const Check& check : group()) checks.push_back(check);
    }
    return checks;
  }();
  return all;
}

}  // namespace grapnel::validation
