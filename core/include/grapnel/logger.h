// Where metrics go: files, services, memory.
//
// A run is worth more than its logs: from start() on, an error of the system (IoError,
// std::system_error) in one of these functions doesn't end it. The run tells of the first, calls the
// logger again with the next metrics, and says at its end what is missing; a checkpoint that is
// written meanwhile has the last state that state_dict() returned. Any other exception, and any of
// start(), ends the run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "grapnel/export.h"
#include "grapnel/state_dict.h"

namespace grapnel {

class GRAPNEL_CORE_API Logger {
 public:
  using Metrics = std::vector<std::pair<std::string, double>>;

  virtual ~Logger();

  virtual std::string name() const = 0;
  virtual std::string version() const = 0;  // "version_0", ...; or a text of the user's
  virtual std::filesystem::path save_dir() const { return {}; }  // empty: none

  // Once, before the first metric of a run.
  virtual void start() {}
  // step: the number of batches after which an optimizer stepped.
  virtual void log_metrics(const Metrics& metrics, int64_t step) = 0;
  virtual void log_hyperparams(const StateDict&) {}
  // Writes out what is buffered.
  virtual void save() {}
  // status: "success" or "failed".
  virtual void finalize(const std::string& /*status*/) { save(); }
  virtual void after_save_checkpoint(const std::filesystem::path&) {}

  // The character between parts of a metric's name: "train/loss".
  virtual std::string group_separator() const { return "/"; }

  // Its position, for exact resume: what was written after the checkpoint is taken back. Loggers
  // are the last to load; when one refuses its state, the others are given back theirs.
  virtual StateDict state_dict() const { return {}; }
  virtual void load_state_dict(const StateDict&) {}
};

}  // namespace grapnel
