// The report on standard output at the end of a run: a short summary, or one JSON object.
#pragma once

#include <string>
#include <string_view>

#include <grapnel/base/json.h>

#include "session.h"

namespace grapnel::program {

// {"metrics": {...}, "global_step", "epoch", "stop_reason", "checkpoint", "run_directory",
// "plugins": [{"id", "version", "callback", "source", "disabled"}]}, "best_checkpoint" after a fit
// that monitors a metric, and "predictions" after predict. "checkpoint" is null after a fit that
// wrote none. `interrupted`: why the run ended early; empty when it did not.
[[nodiscard]] ConfigValue report_json(const Session& session, std::string_view interrupted);

// The metrics as a table, why the run ended, the checkpoint that it wrote last, the best one, and
// the command that resumes it, ready for a shell.
[[nodiscard]] std::string report_text(const Session& session, std::string_view interrupted);

}  // namespace grapnel::program
