// Any bytes as plugins.json: refused with a ConfigError, or the same after it is written and read again.
#include <grapnel/base/error.h>
#include <grapnel/base/json.h>

#include "descriptions.h"
#include "enabled_file.h"
#include "fuzz_target.h"

namespace enabled_fuzz {

using namespace grapnel;
using fuzz::require;

namespace {

ConfigValue as_file(const host::EnabledPlugins& enabled) {
  ConfigValue plugins = ConfigValue::array();
  for (const host::EnabledPlugin& plugin : enabled.plugins) {
    plugins.append(grapnel::to_json(plugin));
  }
  ConfigValue file = ConfigValue::object();
  file.set("format", 1);
  file.set("trust_all_drop_ins", enabled.trust_all_drop_ins);
  file.set("plugins", std::move(plugins));
  file.set("disabled", ConfigValue(enabled.disabled));
  return file;
}

}  // namespace

GRAPNEL_FUZZ_TARGET(enabled) {
  try {
    const ConfigValue root = parse_json(fuzz::as_text(bytes), "plugins.json", {.max_depth = 16});
    const ConfigValue file = as_file(host::parse_enabled(root));
    require(as_file(host::parse_enabled(parse_json(write_json(file), "again"))) == file);
  } catch (const ConfigError&) {
  }
}

}  // namespace enabled_fuzz
