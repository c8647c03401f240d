// The options that all loggers with a directory share.
#pragma once

#include <vector>

#include "grapnel/base/options_table.h"
#include "grapnel/loggers/log_directory.h"
#include "grapnel/state_dict.h"

namespace grapnel {

// The rows of save_dir, name and version, for a logger to embed.
std::vector<Option<LogDirectoryOptions>> log_directory_options();

// What a logger of rows keeps in checkpoints, and where it is to go on: nothing when the state is
// that of another file.
StateDict row_state(const std::filesystem::path& file, std::int64_t rows);
std::optional<std::int64_t> resumed_row(const StateDict& state, const std::filesystem::path& file);

// Replaces the file hparams.yaml in a directory.
void write_hparams(const std::filesystem::path& directory, const StateDict& hyper_parameters);

}  // namespace grapnel
