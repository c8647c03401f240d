#include "loggers/logger_options.h"

#include <fmt/format.h>

#include <utility>

#include "grapnel/base/files.h"
#include "loggers/metric_text.h"

namespace grapnel {

namespace fs = std::filesystem;

namespace {

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

void write_hparams(const fs::path& directory, const StateDict& hyper_parameters) {
  write_file(directory / "hparams.yaml", settings_yaml(hyper_parameters), Durability::fast);
}

}  // namespace grapnel
