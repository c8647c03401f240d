#include "loggers/logger_options.h"

#include <fmt/format.h>

#include <utility>

#include "grapnel/base/error.h"
#include "grapnel/base/files.h"
#include "loggers/metric_text.h"

namespace grapnel {

namespace fs = std::filesystem;

namespace {

std::string absolute_text(const fs::path& file) {
  return fs::absolute(file).lexically_normal().string();
}

}  // namespace

std::vector<ParameterSpec> log_directory_parameters(std::vector<ParameterSpec> own) {
  using namespace parameter;
  std::vector<ParameterSpec> all = {
      string("save_dir", ".").doc("Directory of all logs; relative to the working directory."),
      string("name", "grapnel_logs").doc("Name of the experiment: a directory below save_dir."),
      either({ParameterType::integer, ParameterType::string}, "version")
          .nullable()
          .doc("Directory of this run below the name; 3 is 'version_3', null the next free one.")};
  for (ParameterSpec& spec : own) all.push_back(std::move(spec));
  return all;
}

LogDirectoryOptions log_directory_options(const Parameters& p) {
  LogDirectoryOptions options{.save_dir = p.get<std::string>("save_dir"),
                              .name = p.get<std::string>("name")};
  if (p.kind("version") == ConfigValue::Kind::integer) {
    options.version = fmt::format("version_{}", p.get<int64_t>("version"));
  } else if (!p.is_null("version")) {
    options.version = p.get<std::string>("version");
  }
  return options;
}

StateDict row_state(const fs::path& file, std::int64_t rows) {
  return {{"format", 1}, {"file", absolute_text(file)}, {"rows", rows}};
}

std::optional<std::int64_t> resumed_row(const StateDict& state, const fs::path& file) {
  const int64_t format = state.at("format").to_int();
  const int64_t rows = state.at("rows").to_int();
  const std::string& written = state.at("file").to_string();
  if (format != 1 || rows < 0) {
    throw CheckpointError(
        {}, fmt::format("a logger's state has format {} with {} rows; known is format 1", format,
                        rows));
  }
  if (written != absolute_text(file)) return std::nullopt;
  return rows;
}

void write_hparams(const fs::path& directory, const StateDict& hyper_parameters) {
  write_file(directory / "hparams.yaml", settings_yaml(hyper_parameters), Durability::fast);
}

}  // namespace grapnel
