// run.json: the model, the data, the training, and its callbacks and loggers.
//
//   {"model": {"name": "mlp", "hidden": [64]}, "optimizer": {"name": "AdamW", "lr": 0.001},
//    "data": "digits", "trainer": {"max_epochs": 5},
//    "callbacks": {"early_stopping": {"monitor": "val_loss"}, "ema": {"decay": 0.99}}}
//
// Every section is optional; without a file, a small network learns the embedded digits. Each
// section is checked by the parameter table of the thing it names, and every error has its line and
// column.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <grapnel/base/json.h>
#include <grapnel/base/parameters.h>

namespace grapnel::program {

// The table of the sections.
[[nodiscard]] const ParameterTable& run_parameters();

struct RunConfig {
  ConfigValue source;     // the file with every --set applied, as recorded in the run directory
  Parameters parameters;  // checked by run_parameters()

  // "model" with "optimizer" and "scheduler" in it, even if they were given outside of it.
  [[nodiscard]] ConfigValue model() const;
  // "data", with the run's seed unless it has its own.
  [[nodiscard]] ConfigValue data() const;
  // "mlp-digits", or the value of "name".
  [[nodiscard]] std::string name() const;
};

// Reads the file (without one, all defaults), then applies each "path=value" in order. ConfigError
// with a position; IoError when there is no such file.
[[nodiscard]] RunConfig read_run_config(const std::optional<std::filesystem::path>& file,
                                        const std::vector<std::string>& assignments);

}  // namespace grapnel::program
