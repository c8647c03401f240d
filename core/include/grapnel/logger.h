// Where metrics go: files, services, memory.
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

  // Its position, for exact resume: what was written after the checkpoint is taken back.
  virtual StateDict state_dict() const { return {}; }
  virtual void load_state_dict(const StateDict&) {}
};

}  // namespace grapnel
