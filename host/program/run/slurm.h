// A job of Slurm that continues beyond its time limit: `sbatch --signal=USR1@120` warns the training
// two minutes before the end, it saves, and the job is queued again. After Lightning's
// SLURMEnvironment with auto_requeue.
#pragma once

#include <string>

namespace grapnel::program {

// What `scontrol requeue` takes: "4711", or "4711_3" in an array of jobs. Empty outside of Slurm, in
// an interactive job ("bash", "interactive"), and in all processes of a job but the first.
[[nodiscard]] std::string slurm_job();

// Queues the job again, by `scontrol requeue`, and logs that; a warning says why it isn't possible.
void requeue_slurm_job(const std::string& job);

}  // namespace grapnel::program
