// Cases in child processes: one that crashes or hangs is a failed case, and the others still run.
//
// A child is this program again, with files of cases as arguments. It writes one line of JSON before
// each case and one after it; the one that has a beginning but no end is the one that went wrong.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "case.h"
#include "run_case.h"

namespace grapnel::oracle {

// The child's side: runs the cases of these files, in this order, and reports on standard output.
// Returns the exit code.
int run_as_child(const std::vector<std::filesystem::path>& files);

// The parent's side: runs all cases in up to `jobs` children at a time. `report` gets each verdict, in
// the order of `cases`, from the calling thread.
void run_in_children(const std::vector<Case>& cases, int jobs,
                     const std::function<void(const Case&, const Verdict&)>& report);

}  // namespace grapnel::oracle
