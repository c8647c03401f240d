// run.json: the file that says what to train, on what, how long and with what around it.
//
//   {"model": {"name": "mlp", "hidden": [64]}, "optimizer": {"name": "AdamW", "lr": 0.001},
//    "data": "digits", "trainer": {"max_epochs": 5},
//    "callbacks": {"early_stopping": {"monitor": "val_loss"}, "ema": {"decay": 0.99}}}
//
// Every section may be left out; without a file at all, a small network learns the embedded digits.
// Each section is checked by the table of what it names, and every error has its line and column.
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
  ConfigValue source;     // the file with every --set in it: what the run directory records
  Parameters parameters;  // checked by run_parameters()

  // "model" with "optimizer" and "scheduler" in it, wherever they stood.
  [[nodiscard]] ConfigValue model() const;
  // "data", with the run's seed where it has none of its own.
  [[nodiscard]] ConfigValue data() const;
  // "mlp-digits", or what "name" says.
  [[nodiscard]] std::string name() const;
};

// Reads the file (none: every default), then applies each "path=value" in turn. ConfigError,
// positioned; IoError when there is no such file.
[[nodiscard]] RunConfig read_run_config(const std::optional<std::filesystem::path>& file,
                                        const std::vector<std::string>& assignments);

}  // namespace grapnel::program
