// One training of a plan, made of new objects: from the start, or resumed from a checkpoint, and stopped
// on the way if told to.
#pragma once

#include <grapnel/loggers/memory_logger.h>
#include <grapnel/state_dict.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plan.h"
#include "probe.h"

namespace grapnel::random_test {

struct StopOrder {
  Stop stop;
  int64_t call = 0;   // of stop.hook, from 1
  int64_t limit = 0;  // of max_steps, max_epochs, max_time (seconds)
};

struct TrainingSetup {
  std::filesystem::path directory;   // the run's own; made when it isn't there
  std::filesystem::path checkpoint;  // to resume from; empty: from the start
  std::optional<StopOrder> order;    // nothing: to the end
  std::filesystem::path snapshot;    // of stop "checkpoint": the directory is copied to it
  // Rows that the memory logger has already when the run starts, as those of the run resumed from.
  std::vector<MemoryLogger::Row> rows;
  uint64_t process_seed = 0;  // what the process's generators happen to be at
};

// What is left of a training.
struct Ending {
  std::string error;              // what ended it; empty: it ended well
  bool stopped = false;           // the stop of the plan has happened
  bool ended_by_request = false;  // by a callback of the plan
  int64_t global_step = 0;
  int64_t epochs = 0;
  std::vector<std::pair<std::string, at::Tensor>> weights;
  std::vector<std::pair<std::string, at::Tensor>> first_weights;  // before the fit
  StateDict checkpoint;  // what a checkpoint written now would hold
  std::map<std::string, double> metrics;
  std::vector<MemoryLogger::Row> rows;
  Probe::Trace trace;
  int64_t resumed_at = 0;                // line of the undisturbed run's trace
  std::map<std::string, int64_t> calls;  // per hook
};

// The checkpoint of a stop "checkpoint".
std::filesystem::path stop_checkpoint(const std::filesystem::path& directory);

Ending train(const Plan& plan, const TrainingSetup& setup);

}  // namespace grapnel::random_test
