// The time that a run spent: one row per callback and hook, and, with a profiler, per function of
// the module and of the data.
//
// Without a profiler only callbacks have rows: their calls are counted, their time is estimated
// from one call in 256. With a profiler every call is timed, and the own_seconds of all rows add up
// to the time spent in them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "grapnel/export.h"

namespace grapnel {

enum class ProfilerKind {
  none,
  simple,    // every call is timed; the table is logged when the run ends
  advanced,  // and every single call is kept, for <log_dir>/profile-<run>.json, a Chrome trace
};

struct ProfileRow {
  std::string who;     // the callback's label, "module" or "data"
  std::string action;  // "on_train_batch_end", "training_step", "next train batch"
  uint64_t calls = 0;
  double seconds = 0;      // in all calls together
  double own_seconds = 0;  // of these, not within a row called from it
};

struct GRAPNEL_CORE_API Profile {
  std::vector<ProfileRow> rows;  // the most expensive first, by own_seconds
  double run_seconds = 0;        // of the whole run
  bool sampled = true;           // no profiler was set

  // Columns: what, calls, mean and total time, share of the run (of own_seconds).
  std::string table() const;
};

}  // namespace grapnel
