#include "options.h"

#include <fmt/format.h>

#include <cmath>

#include "bars.h"
#include "functions.h"
#include "loggers.h"

namespace grapnel::oracle {

TrainerOptions make_options(const Json& arguments, Journal& journal,
                            const std::filesystem::path& directory) {
  Json values = Json::object();
  values.set("enable_checkpointing", false);
  values.set("enable_progress_bar", false);
  values.set("enable_model_summary", false);
  for (const auto& [key, value, line, column] : members(arguments)) {
    // Objects, set below; one process on the CPU.
    const std::string text = value.is_string() ? value.as_string() : write_json(value);
    const bool elsewhere = key == "logger" || key == "use_distributed_sampler" ||
                           ((key == "devices" || key == "num_nodes") && text == "1") ||
                           (key == "accelerator" && (text == "cpu" || text == "auto")) ||
                           (key == "strategy" && text == "auto");
    if (elsewhere) continue;
    if (value.is_object()) {  // a span of time
      const auto seconds = std::llround(timedelta_seconds(value));
      values.set(key, fmt::format("{:02}:{:02}:{:02}:{:02}", seconds / 86400, seconds / 3600 % 24,
                                  seconds / 60 % 60, seconds % 60));
      continue;
    }
    // Python's True is one batch.
    const bool flag = key == "fast_dev_run" && value.is_bool();
    values.set(key, flag ? Json(value.as_bool() ? 1 : 0) : value);
  }
  TrainerOptions options =
      trainer_options(trainer_options_table().parameters().validate(values, "trainer"));
  options.default_root_dir = directory;
  options.clock = &journal.clock();
  options.progress = make_bar_recorder(journal);
  options.loggers = make_loggers(get(arguments, "logger"), journal, directory);
  return options;
}

}  // namespace grapnel::oracle
