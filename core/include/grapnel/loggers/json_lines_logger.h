// Metrics as JSON, one object per line: save_dir/name/version/metrics.jsonl, for programs that
// follow a run.
//
//   {"step":49,"epoch":0,"train_loss":0.25}
//
// Numbers that JSON has no way to write are the strings "nan", "inf" and "-inf". Resuming and older
// files are as with CSVLogger. The hyper-parameters go to hparams.yaml.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "grapnel/base/options_table.h"
#include "grapnel/export.h"
#include "grapnel/logger.h"
#include "grapnel/loggers/log_directory.h"

namespace grapnel {

class LineFile;

struct JsonLinesLoggerOptions {
  LogDirectoryOptions directory = {};
};

class GRAPNEL_CORE_API JsonLinesLogger : public Logger {
 public:
  explicit JsonLinesLogger(JsonLinesLoggerOptions options = {});
  ~JsonLinesLogger() override;

  static const OptionsTable<JsonLinesLoggerOptions>& options_table();

  std::string name() const override { return directory_.name(); }
  std::string version() const override { return directory_.version(); }
  std::filesystem::path save_dir() const override { return directory_.save_dir(); }
  std::filesystem::path metrics_file() const { return directory_.path() / "metrics.jsonl"; }

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
  LineFile& file() const;

  LogDirectory directory_;
  StateDict hyper_parameters_;
  mutable std::unique_ptr<LineFile> file_;  // from the first use on
  bool save_failed_ = false;
};

}  // namespace grapnel
