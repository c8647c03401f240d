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

// 3 is "version_3".
struct VersionName : OptionType<std::string> {
  static void describe(ParameterSpec& spec) {
    spec.types = {ParameterType::integer, ParameterType::string};
  }
  static std::string read(const ConfigValue& value) {
    if (value.is_integer()) return fmt::format("version_{}", value.as_int());
    return value.as_string();
  }
};

}  // namespace

std::vector<Option<LogDirectoryOptions>> log_directory_options() {
  using O = LogDirectoryOptions;
  return {
      option("save_dir", &O::save_dir)
          .doc("Directory of all logs; relative to the working directory."),
      option("name", &O::name).doc("Name of the experiment: a directory below save_dir."),
      option<VersionName>("version", &O::version)
          .doc("Directory of this run below the name; 3 is 'version_3', null the next free one.")};
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
