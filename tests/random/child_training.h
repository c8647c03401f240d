// A training in a child process, which is killed on the way: this program itself, with --child FILE.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "plan.h"
#include "training.h"

namespace grapnel::random_test {

struct ChildEnd {
  bool killed = false;
  std::string error;  // why it failed otherwise; empty: it ran to its end
};

// kill_at: the file operation at which it is killed; 0: setup.order says where.
ChildEnd train_in_child(const Plan& plan, const TrainingSetup& setup, int64_t kill_at,
                        const std::filesystem::path& workspace);

// What the child does; the exit code of the process.
int child_main(const std::filesystem::path& file);

}  // namespace grapnel::random_test
