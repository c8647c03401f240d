#include "slurm.h"

#include <grapnel/base/error.h>
#include <grapnel/base/log.h>
#include <grapnel/base/platform.h>
#include <grapnel/base/process.h>
#include <grapnel/base/text.h>
#include <grapnel/host/this_process.h>

namespace grapnel::program {
namespace {

constexpr double kDeadlineSeconds = 60;

std::string variable(const char* name) {
  return environment_variable(name).value_or("");
}

}  // namespace

std::string slurm_job() {
  const std::string name = variable("SLURM_JOB_NAME");
  if (name == "bash" || name == "interactive") return {};
  const std::string process = variable("SLURM_PROCID");
  if (!process.empty() && process != "0") return {};
  const std::string array = variable("SLURM_ARRAY_JOB_ID");
  if (array.empty()) return variable("SLURM_JOB_ID");
  return array + "_" + variable("SLURM_ARRAY_TASK_ID");
}

void requeue_slurm_job(const std::string& job) {
  const auto fail = [&](const std::string& why) {
    log_warning("the Slurm job {} was not requeued: {}; submit it again to resume the training",
                printable(job), why);
  };
  const auto scontrol = host::find_in_path("scontrol");
  if (!scontrol) return fail("there is no scontrol in PATH");
  try {
    const ProcessResult result = run_process({.program = *scontrol,
                                              .arguments = {"requeue", job},
                                              .deadline_seconds = kDeadlineSeconds});
    if (result.ok()) {
      log_info("the Slurm job {} is queued again", printable(job));
    } else {
      fail("scontrol requeue " + result.describe() + ": " + printable(result.error));
    }
  } catch (const Error& error) {
    fail(error.what());
  }
}

}  // namespace grapnel::program
