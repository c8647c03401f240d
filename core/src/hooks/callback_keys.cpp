#include "grapnel/callback_keys.h"

#include <fmt/format.h>

#include <vector>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"
#include "hooks/call_filter_options.h"

namespace grapnel {

template <>
inline constexpr auto enum_names<OnError> =
    std::to_array<EnumName<OnError>>({{OnError::fail, "fail"}, {OnError::disable, "disable"}});

void OptionType<CallSpan>::describe(ParameterSpec& spec) {
  spec.types = {ParameterType::any};
}

CallSpan OptionType<CallSpan>::read(const ConfigValue& value) {
  const auto refuse_span = [](const ConfigValue& found, const std::string& key) {
    throw ConfigError::of(key,
                          "must be {{\"steps\": n}} or {{\"epochs\": n}} with n at least 1, "
                          "found {}",
                          found.describe());
  };
  if (!value.is_object() || value.size() != 1) refuse_span(value, "");
  const ConfigValue::Member& member = value.as_object().front();
  if (member.key != "steps" && member.key != "epochs") {
    throw ConfigError::of(member.key, "unknown unit {}; known are 'steps' and 'epochs'",
                          quote(member.key));
  }
  if (!member.value.is_integer() || member.value.as_int() < 1)
    refuse_span(member.value, member.key);
  const int64_t count = member.value.as_int();
  return member.key == "steps" ? CallSpan::steps(count) : CallSpan::epochs(count);
}

ConfigValue OptionType<CallSpan>::write(const CallSpan& span) {
  ConfigValue value = ConfigValue::object();
  value.set(span.unit == CallSpan::Unit::steps ? "steps" : "epochs", span.count);
  return value;
}

void OptionType<CallSpan>::check(const CallSpan& span) {
  if (span.count < 1) throw ConfigError::of("", "must be at least 1, found {}", span.count);
}

const OptionsTable<CallbackKeys>& callback_keys_table() {
  using O = CallbackKeys;
  static const OptionsTable<O> table(
      "callback", "What every callback takes next to its own options.",
      {embed(&O::filter, call_filter_options()),
       option("on_error", &O::on_error)
           .null_when_empty()
           .doc("When it throws: end the run, or continue without it."),
       option("label", &O::label)
           .null_when_empty()
           .doc("Tells two callbacks of one class apart.")});
  return table;
}

CallbackKeys take_callback_keys(ConfigValue& section, const ParameterTable& own,
                                std::string_view context) {
  const std::vector<std::string> common = callback_keys_table().parameters().names();
  std::vector<std::string> known = own.names();
  known.insert(known.end(), common.begin(), common.end());
  ConfigValue taken = ConfigValue::object();
  for (const std::string& name : common) {
    const ConfigValue* value = section.find(name);
    if (value == nullptr || own.find(name) != nullptr) continue;
    taken.set(name, *value);
    section.erase(name);
  }
  // A likely typo of a common key, which the callback's own table would not suggest.
  for (const ConfigValue::Member& member : section.as_object()) {
    const auto meant = nearest(member.key, known);
    if (own.find(member.key) != nullptr || !meant || own.find(*meant) != nullptr) continue;
    throw ConfigError(member.key_position(),
                      fmt::format("unknown key {} in {}{} Known: {}", quote(member.key), context,
                                  did_you_mean(meant), join(known)),
                      fmt::format("{}.{}", context, member.key), *meant);
  }
  return callback_keys_table().read(taken, context);
}

}  // namespace grapnel
