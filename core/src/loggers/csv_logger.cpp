#include "grapnel/loggers/csv_logger.h"

#include <utility>

#include "loggers/csv_file.h"
#include "loggers/logger_options.h"

namespace grapnel {

CSVLogger::CSVLogger(CSVLoggerOptions options)
    : directory_(std::move(options.directory)), prefix_(std::move(options.prefix)) {}

CSVLogger::~CSVLogger() = default;

const OptionsTable<CSVLoggerOptions>& CSVLogger::options_table() {
  using O = CSVLoggerOptions;
  static const OptionsTable<CSVLoggerOptions> table(
      "csv", "Metrics as a table in metrics.csv.",
      {embed(&O::directory, log_directory_options()),
       option("prefix", &O::prefix).doc("Put before every metric's name, with a '-' between.")});
  return table;
}

CsvFile& CSVLogger::file() const {
  if (file_ == nullptr) file_ = std::make_unique<CsvFile>(metrics_file());
  return *file_;
}

void CSVLogger::start() {
  directory_.claim();
}

void CSVLogger::log_metrics(const Metrics& metrics, int64_t step) {
  directory_.claim();
  if (prefix_.empty()) return file().append(metrics, step);
  Metrics named = metrics;
  for (auto& [name, value] : named) name = prefix_ + "-" + name;
  file().append(named, step);
}

void CSVLogger::log_hyperparams(const StateDict& hyper_parameters) {
  for (const auto& [key, value] : hyper_parameters) hyper_parameters_[key] = value;
  directory_.claim();
  write_hparams(directory_.path(), hyper_parameters_);
}

void CSVLogger::save() {
  if (file_ != nullptr) file_->flush();
}

StateDict CSVLogger::state_dict() const {
  file().flush();
  return row_state(metrics_file(), file().rows());
}

void CSVLogger::load_state_dict(const StateDict& state) {
  if (const auto row = resumed_row(state, metrics_file())) file().resume_at(*row);
}

}  // namespace grapnel
