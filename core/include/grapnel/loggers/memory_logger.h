// Keeps what is logged in memory: for tests, notebooks and programs that draw their own pictures.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "grapnel/export.h"
#include "grapnel/logger.h"

namespace grapnel {

struct MemoryLoggerOptions {
  std::string name = "rows";
  std::string version = "version_0";
  std::filesystem::path save_dir = {};  // of files that others write for it; it writes none
};

class GRAPNEL_CORE_API MemoryLogger : public Logger {
 public:
  struct Row {
    int64_t step = 0;
    Metrics metrics;
  };

  explicit MemoryLogger(MemoryLoggerOptions options = {}) : options_(std::move(options)) {}

  const std::vector<Row>& rows() const { return rows_; }
  const std::vector<StateDict>& hyper_parameters() const { return hyper_parameters_; }

  std::string name() const override { return options_.name; }
  std::string version() const override { return options_.version; }
  std::filesystem::path save_dir() const override { return options_.save_dir; }
  void log_metrics(const Metrics& metrics, int64_t step) override;
  void log_hyperparams(const StateDict& hyper_parameters) override;

  // {"rows": their number}; loading it drops the rows past that.
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

 private:
  MemoryLoggerOptions options_;
  std::vector<Row> rows_;
  std::vector<StateDict> hyper_parameters_;
};

}  // namespace grapnel
