// What all loggers with a directory share.
#pragma once

#include <vector>

#include "grapnel/base/error.h"
#include "grapnel/base/options_table.h"
#include "grapnel/logger.h"
#include "grapnel/loggers/log_directory.h"
#include "grapnel/state_dict.h"

namespace grapnel {

// The rows of save_dir, name and version, for a logger to embed.
std::vector<Option<LogDirectoryOptions>> log_directory_options();

// Writes out what is buffered, in a destructor: an error is logged.
void save_or_log(Logger& logger) noexcept;

// The same before a logger's state is taken. An error is for save() to tell: the state is that of
// what could be written.
template <class F>
void write_what_is_possible(F& file) {
  try {
    file.flush();
  } catch (const IoError&) {
  }
}

// Replaces the file hparams.yaml in a directory.
void write_hparams(const std::filesystem::path& directory, const StateDict& hyper_parameters);

}  // namespace grapnel
