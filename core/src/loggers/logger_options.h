// What all loggers with a directory share.
#pragma once

#include <vector>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/options_table.h"
#include "grapnel/loggers/log_directory.h"
#include "grapnel/state_dict.h"
#include "values/exception_text.h"

namespace grapnel {

// The rows of save_dir, name and version, for a logger to embed.
std::vector<Option<LogDirectoryOptions>> log_directory_options();

// Writes out what is buffered before a logger's state is taken. An error is for save() to tell: the
// state is that of what could be written.
template <class F>
void write_what_is_possible(F& file) {
  try {
    file.flush();
  } catch (const IoError&) {
  }
}

// The same at the end of a logger's life: an error is logged unless save() has told it. file: may
// be nullptr.
template <class F>
void write_at_the_end(F* file, bool is_told) noexcept {
  try {
    if (file != nullptr) file->flush();
  } catch (const std::exception& error) {
    if (!is_told) log_error("metrics are missing from the logs: {}", exception_text(error));
  }
}

// Replaces the file hparams.yaml in a directory.
void write_hparams(const std::filesystem::path& directory, const StateDict& hyper_parameters);

}  // namespace grapnel
