// One case: the plan's training undisturbed; stopped and resumed; and what differs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "compare.h"
#include "plan.h"

namespace grapnel::random_test {

// How the last resume went, for those who decide whether it counts (not_yet.h).
struct Facts {
  Stop stop;                     // that came last
  bool from_checkpoint = false;  // else the run began anew: there was none yet
  bool nothing_left = false;     // the checkpoint is of the run's end
  bool cut_short = false;        // the checkpoint is of an epoch that a limit or a request ended
  bool at_own_stop = false;      // the checkpoint is of where a callback ended the undisturbed run
  bool within_epoch = false;   // the checkpoint was written before the epoch's last batch had ended
  bool in_last_epoch = false;  // the checkpoint is of the last epoch of the undisturbed run
  bool was_at_epoch_end =
      false;  // this or an earlier resume was from a checkpoint of an epoch's end
  bool ended_by_request = false;  // a callback ended the undisturbed run
};

struct CaseResult {
  enum class Status {
    same,
    differs,
    refused,   // the undisturbed run fails: the plan makes no sense
    left_out,  // known not to be exact
  };
  Status status = Status::same;
  std::string reason;  // of refused and left_out
  std::vector<Difference> differences;
  int resumes = 0;
};

// workspace: an empty directory, empty again afterwards. all: also what is known not to be exact.
CaseResult run_case(const Plan& plan, const std::filesystem::path& workspace, bool all);

}  // namespace grapnel::random_test
