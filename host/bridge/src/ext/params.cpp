// Extension params: values already checked against the table in plugin.json.
#include <grapnel/ext/params.h>

#include <fmt/format.h>

#include <grapnel/base/text.h>

#include "../instance_host.h"
#include "extensions.h"

namespace grapnel::bridge {
namespace {

using Kind = ConfigValue::Kind;

// The value; nullptr when it is null. ContractBreach for a name that plugin.json doesn't declare.
const ConfigValue* find(const InstanceHost& self, grapnel_string name) {
  const std::string_view text = checked_text(name, "parameter's name");
  const ConfigValue* value = self.parameters().values().find(text);
  if (value == nullptr) {
    throw ContractBreach{fmt::format("plugin.json declares no parameter {}", quote(text))};
  }
  return value->is_null() ? nullptr : value;
}

[[noreturn]] void wrong_type(grapnel_string name, const ConfigValue& value, const char* wanted) {
  throw ContractBreach{
      fmt::format("the parameter {} is {}, not {}", quote(view(name)), value.describe(), wanted)};
}

void write(const ConfigValue& value, grapnel_string name, std::int64_t* out) {
  if (value.kind() != Kind::integer) wrong_type(name, value, "an integer");
  *out = value.as_int();
}

void write(const ConfigValue& value, grapnel_string name, double* out) {
  if (!value.is_number() && !value.is_string()) wrong_type(name, value, "a number");
  try {
    *out = value.as_double();  // also of the text "inf"
  } catch (const ConfigError&) {
    wrong_type(name, value, "a number");
  }
}

void write(const ConfigValue& value, grapnel_string name, std::int32_t* out) {
  if (!value.is_bool()) wrong_type(name, value, "a boolean");
  *out = value.as_bool() ? 1 : 0;
}

void write(const ConfigValue& value, grapnel_string name, grapnel_string* out) {
  if (!value.is_string()) wrong_type(name, value, "a string");
  *out = to_abi(value.as_string());  // the instance keeps its parameters until destroy
}

template <class T>
std::int32_t GRAPNEL_CALL get(const grapnel_host* host, grapnel_string name, T* out) noexcept {
  return service(host, "params.get", [&](InstanceHost& self) {
    check_output(out);
    const ConfigValue* value = find(self, name);
    if (value == nullptr) return GRAPNEL_NOT_FOUND;
    write(*value, name, out);
    return GRAPNEL_OK;
  });
}

std::int32_t GRAPNEL_CALL list_size(const grapnel_host* host, grapnel_string name,
                                    std::uint64_t* size) noexcept {
  return service(host, "params.list_size", [&](InstanceHost& self) {
    check_output(size);
    const ConfigValue* value = find(self, name);
    if (value == nullptr) return GRAPNEL_NOT_FOUND;
    if (!value->is_array()) wrong_type(name, *value, "a list");
    *size = value->size();
    return GRAPNEL_OK;
  });
}

template <class T>
std::int32_t GRAPNEL_CALL list_item(const grapnel_host* host, grapnel_string name,
                                    std::uint64_t index, T* out) noexcept {
  return service(host, "params.list_item", [&](InstanceHost& self) {
    check_output(out);
    const ConfigValue* value = find(self, name);
    if (value == nullptr) return GRAPNEL_NOT_FOUND;
    if (!value->is_array()) wrong_type(name, *value, "a list");
    if (index >= value->size()) return GRAPNEL_NOT_FOUND;
    write(value->as_array()[index], name, out);
    return GRAPNEL_OK;
  });
}

}  // namespace

const grapnel_params kParams = {sizeof(grapnel_params),
                                0,
                                &get<std::int64_t>,
                                &get<double>,
                                &get<std::int32_t>,
                                &get<grapnel_string>,
                                &list_size,
                                &list_item<std::int64_t>,
                                &list_item<double>,
                                &list_item<grapnel_string>,
                                &list_item<std::int32_t>};

}  // namespace grapnel::bridge
