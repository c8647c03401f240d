// What a run ends with on standard output: a short summary for people, or one JSON object.
#pragma once

#include <string>
#include <string_view>

#include <grapnel/base/json.h>

#include "session.h"

namespace grapnel::program {

// {"metrics": {...}, "global_step", "epoch", "stop_reason", "checkpoint", "run_directory", "plugins":
// [{"id", "version", "callback", "source", "disabled"}]}, and "predictions" after predict.
// `interrupted`: what ended the run early; empty when nothing did.
[[nodiscard]] ConfigValue report_json(const Session& session, std::string_view interrupted);

// The metrics as a table, why the run ended, its checkpoint, and the command that resumes it.
[[nodiscard]] std::string report_text(const Session& session, std::string_view interrupted);

}  // namespace grapnel::program
