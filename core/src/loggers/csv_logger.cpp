#include "grapnel/loggers/csv_logger.h"

#include <utility>

#include "loggers/csv_file.h"
#include "loggers/logger_options.h"

namespace grapnel {

CSVLogger::CSVLogger(CSVLoggerOptions options)
    : directory_(std::move(options.directory)), prefix_(std::move(options.prefix)) {}

CSVLogger::~CSVLogger() {
  write_at_the_end(file_.get(), save_failed_);
}

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
  Metrics named = metrics;
  if (!prefix_.empty()) {
    for (auto& [name, value] : named) name = prefix_ + "-" + name;
  }
  file().append(named, step);
  if (file().waiting() % LineFile::kWriteAfter == 0) write_what_is_possible(file());
}

void CSVLogger::log_hyperparams(const StateDict& hyper_parameters) {
  for (const auto& [key, value] : hyper_parameters) hyper_parameters_[key] = value;
  directory_.claim();
  write_hparams(directory_.path(), hyper_parameters_);
}

void CSVLogger::save() {
  save_failed_ = true;
  if (file_ != nullptr) file_->flush();
  save_failed_ = false;
}

StateDict CSVLogger::state_dict() const {
  write_what_is_possible(file());
  return file().state();
}

void CSVLogger::load_state_dict(const StateDict& state) {
  file().resume_at(state);
}

}  // namespace grapnel
