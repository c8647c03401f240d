// What differs between the end of a training that was stopped and resumed, and of the same one
// undisturbed.
#pragma once

#include <string>
#include <vector>

#include "run_files.h"
#include "training.h"

namespace grapnel::random_test {

struct Difference {
  // In this order: "error", "hooks", "steps", "weights", "state", "metrics", "rows", "files".
  std::string what;
  std::string text;
};

// How much is compared.
enum class Extent {
  all,
  // An epoch that a limit or a stop request cut short has had its end, with the hooks and rows of one,
  // before it is taken up again; and a run that is asked to stop validates and logs its last batch
  // whatever the intervals say. So only the training itself is compared.
  training,
};

std::vector<Difference> compare(const Ending& undisturbed, const RunFiles& undisturbed_files,
                                const Ending& resumed, const RunFiles& resumed_files,
                                Extent extent);

}  // namespace grapnel::random_test
