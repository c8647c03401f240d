#include "named_items.h"

#include <fmt/format.h>

#include <utility>

namespace grapnel::program {
namespace {

[[noreturn]] void refuse(const ConfigValue& value, const std::string& context,
                         const std::string& accepted) {
  throw value.error(fmt::format("'{}' must be {}, found {}", context, accepted, value.describe()),
                    context);
}

// An item of a list: a name, or an object with a name.
NamedItem read_listed(const ConfigValue& value, const std::string& context) {
  if (value.is_string()) {
    return {value.as_string(), ConfigValue::object(), true, value.position(), context};
  }
  const ConfigValue* name = value.find("name");
  if (name == nullptr) refuse(value, context, "a name, or an object with a \"name\"");
  NamedItem item{name->as_string(context + ".name"), value, true, name->position(), context};
  item.parameters.erase("name");
  return item;
}

// A member of an object keyed by name.
NamedItem read_member(const ConfigValue::Member& member, const std::string& context) {
  NamedItem item{member.key, ConfigValue::object(), true, member.key_position(),
                 context + "." + member.key};
  if (member.value.is_object()) {
    item.parameters = member.value;
  } else if (member.value.is_bool()) {
    item.enabled = member.value.as_bool();
  } else if (!member.value.is_null()) {
    refuse(member.value, item.context, "an object with its parameters, or false");
  }
  return item;
}

}  // namespace

std::vector<NamedItem> read_named_items(const ConfigValue& section, std::string_view context) {
  const std::string path(context);
  std::vector<NamedItem> items;
  if (section.is_null()) return items;
  if (section.is_string()) {
    items.push_back(read_listed(section, path));
  } else if (section.is_array()) {
    for (const ConfigValue& value : section.as_array()) {
      items.push_back(read_listed(value, fmt::format("{}.{}", path, items.size())));
    }
  } else if (section.is_object()) {
    for (const ConfigValue::Member& member : section.as_object()) {
      items.push_back(read_member(member, path));
    }
  } else {
    refuse(section, path, "a name, a list, or an object keyed by name");
  }
  return items;
}

}  // namespace grapnel::program
