// Something that run.json chooses by name out of a registry, with its parameters beside the name:
//
//   "optimizer": {"name": "AdamW", "lr": 0.001}        or, with all defaults:  "optimizer": "AdamW"
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "grapnel/base/json.h"

namespace grapnel {

struct NamedConfig {
  std::string name;        // one of the known ones
  ConfigValue parameters;  // an object, without the name; positions as in the file
};

// Throws ConfigError, positioned, for another shape, or for a name that is not known (naming the
// nearest and all). `what` is the thing in words: "optimizer".
NamedConfig parse_named_config(const ConfigValue& config, std::string_view context,
                               std::string_view what, std::span<const std::string> known);

}  // namespace grapnel
