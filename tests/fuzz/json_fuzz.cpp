// Any text is a document or a ConfigError with a position; what is accepted is written and read back
// equal; paths, manifests and values made of it throw nothing else either.
#include <grapnel/base/json.h>
#include <grapnel/base/parameters.h>

#include <string_view>

#include "fuzz_target.h"

namespace json_fuzz {

using namespace grapnel;
using fuzz::require;

namespace {

void read_as_manifest(const ConfigValue& document) {
  try {
    const ParameterTable table = ParameterTable::from_manifest(document, "fuzz");
    const ParameterTable again = ParameterTable::from_manifest(table.to_manifest(), "fuzz");
    require(again.to_manifest() == table.to_manifest());
    static_cast<void>(table.to_help());
    static_cast<void>(table.to_schema());
    const ConfigValue values = table.defaults("fuzz").values();
    require(table.validate(values, "fuzz").values() == values);
  } catch (const ConfigError&) {
  }
}

void set_into(const ConfigValue& document, std::string_view assignment) {
  ConfigValue changed = document;
  try {
    set_by_path(changed, assignment);
  } catch (const ConfigError&) {
    require(changed == document);
  }
}

}  // namespace

GRAPNEL_FUZZ_TARGET(json) {
  const std::string_view text = fuzz::as_text(bytes);
  try {
    const ConfigValue document = parse_json(text, "fuzz");
    require(parse_json(write_json(document), "again") == document);
    require(parse_json(write_json(document, JsonStyle::pretty), "again") == document);
    read_as_manifest(document);
    set_into(document, text);
  } catch (const ConfigError& error) {
    require(error.line > 0 && error.column > 0);
    require(static_cast<std::size_t>(error.line) <= text.size() + 1);
  }
  set_into(ConfigValue::object(), text);
}

}  // namespace json_fuzz
