// Metrics as a table: save_dir/name/version/metrics.csv, one row per call, and the hyper-parameters
// next to it in hparams.yaml.
//
// The file is that of Lightning's CSVLogger: columns in alphabetical order, among them "epoch" and
// "step", empty cells for what a call didn't have; when a new name comes up, the file is rewritten
// with one more column. A resumed run continues the file that begins with its rows, also in a
// directory that was moved or copied, without the rows that were written after its checkpoint; any
// other older file is kept under another name.
//
// Rows wait in memory until save() could write them.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "grapnel/base/options_table.h"
#include "grapnel/export.h"
#include "grapnel/logger.h"
#include "grapnel/loggers/log_directory.h"

namespace grapnel {

class CsvFile;

struct CSVLoggerOptions {
  LogDirectoryOptions directory = {};
  std::string prefix = {};  // put before every metric's name, with a "-" between
};

class GRAPNEL_CORE_API CSVLogger : public Logger {
 public:
  explicit CSVLogger(CSVLoggerOptions options = {});
  ~CSVLogger() override;

  static const OptionsTable<CSVLoggerOptions>& options_table();

  std::string name() const override { return directory_.name(); }
  std::string version() const override { return directory_.version(); }
  std::filesystem::path save_dir() const override { return directory_.save_dir(); }
  std::filesystem::path metrics_file() const { return directory_.path() / "metrics.csv"; }

  // All of these throw IoError when the files can't be written.
  void start() override;
  void log_metrics(const Metrics& metrics, int64_t step) override;
  void log_hyperparams(const StateDict& hyper_parameters) override;
  void save() override;

  // {"format", "file", "rows", ...}: the rows that are in the file, which is brought up to date
  // first.
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

 private:
  CsvFile& file() const;

  LogDirectory directory_;
  std::string prefix_;
  StateDict hyper_parameters_;
  mutable std::unique_ptr<CsvFile> file_;  // from the first use on
  bool save_failed_ = false;
};

}  // namespace grapnel
