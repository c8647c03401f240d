// The format shared by "callbacks" and "loggers" of run.json: named items with parameters.
//
//   "csv"                                        one, with its defaults
//   ["csv", {"name": "csv", "prefix": "a"}]      several, also of one name
//   {"csv": {"prefix": "a"}, "tensorboard": {}}  by name; null for the defaults, false for none
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <grapnel/base/json.h>

namespace grapnel::program {

struct NamedItem {
  std::string name;
  ConfigValue parameters;   // an object, without the name
  bool enabled = true;      // false: "name": false
  SourcePosition position;  // of the name
  std::string context;      // "callbacks.ema", "callbacks.1": for error texts
};

// In the order of the file. ConfigError with a position for any other format.
[[nodiscard]] std::vector<NamedItem> read_named_items(const ConfigValue& section,
                                                      std::string_view context);

}  // namespace grapnel::program
