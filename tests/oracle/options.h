// The Trainer's options from a case's keyword arguments.
#pragma once

#include <grapnel/trainer_options.h>

#include <filesystem>

#include "journal.h"

namespace grapnel::oracle {

// arguments: those that differ from the recordings' own defaults (no checkpoints, no progress bar, no
// logger). They go through the library's table of trainer options, as those of a run.json do: throws
// ConfigError for one that isn't there, or of another type or range than it takes.
TrainerOptions make_options(const Json& arguments, Journal& journal,
                            const std::filesystem::path& directory);

}  // namespace grapnel::oracle
