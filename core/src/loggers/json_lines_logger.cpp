#include "grapnel/loggers/json_lines_logger.h"

#include <utility>

#include "grapnel/base/json.h"
#include "loggers/line_file.h"
#include "loggers/logger_options.h"
#include "loggers/metric_text.h"

namespace grapnel {

JsonLinesLogger::JsonLinesLogger(JsonLinesLoggerOptions options)
    : directory_(std::move(options.directory)) {}

JsonLinesLogger::~JsonLinesLogger() {
  write_at_the_end(file_.get(), save_failed_);
}

const OptionsTable<JsonLinesLoggerOptions>& JsonLinesLogger::options_table() {
  using O = JsonLinesLoggerOptions;
  static const OptionsTable<JsonLinesLoggerOptions> table(
      "json_lines", "Metrics as JSON, one object per line, in metrics.jsonl.",
      {embed(&O::directory, log_directory_options())});
  return table;
}

LineFile& JsonLinesLogger::file() const {
  if (file_ == nullptr) file_ = std::make_unique<LineFile>(metrics_file(), LineFile::Header::none);
  return *file_;
}

void JsonLinesLogger::start() {
  directory_.claim();
}

void JsonLinesLogger::log_metrics(const Metrics& metrics, int64_t step) {
  directory_.claim();
  ConfigValue row = ConfigValue::object();
  row.set("step", step);
  for (const auto& [name, value] : metrics) {
    if (name != "step") row.set(name, metric_json(name, value));
  }
  file().add(write_json(row));
  if (file().waiting() % LineFile::kWriteAfter == 0) write_what_is_possible(file());
}

void JsonLinesLogger::log_hyperparams(const StateDict& hyper_parameters) {
  for (const auto& [key, value] : hyper_parameters) hyper_parameters_[key] = value;
  directory_.claim();
  write_hparams(directory_.path(), hyper_parameters_);
}

void JsonLinesLogger::save() {
  save_failed_ = true;
  if (file_ != nullptr) file_->flush();
  save_failed_ = false;
}

StateDict JsonLinesLogger::state_dict() const {
  write_what_is_possible(file());
  return file().state();
}

void JsonLinesLogger::load_state_dict(const StateDict& state) {
  file().resume_at(state);
}

}  // namespace grapnel
