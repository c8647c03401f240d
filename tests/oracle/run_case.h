// Runs one case in a fresh directory and judges it.
#pragma once

#include <string>
#include <vector>

#include "case.h"

namespace grapnel::oracle {

struct Verdict {
  enum class Status { passed, failed, skipped };
  Status status = Status::failed;
  std::string rule;                   // of the deviation by which it passed; else empty
  std::vector<std::string> problems;  // of a failure: what differs, the most telling first
  std::vector<std::string> log;       // what the library logged
};

// Plays the case and returns what was seen, in the form of `expect`. The process's working directory
// is a fresh one meanwhile. What the library logged is appended to `log`.
Json observe_case(const Case& test, std::vector<std::string>& log);

// Never throws: whatever goes wrong is a problem of the case.
Verdict run_case(const Case& test);

}  // namespace grapnel::oracle
