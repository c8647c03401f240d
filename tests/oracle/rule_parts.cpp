#include "rule_parts.h"

#include <algorithm>

#include "values.h"

namespace grapnel::oracle {

bool has_callback(const Case& test, std::string_view type) {
  const Json::Array& specs = items(test.callbacks());
  return std::any_of(specs.begin(), specs.end(),
                     [&](const Json& spec) { return text_or(spec, "type", "") == type; });
}

const Json& argument(const Json& spec, std::string_view key) {
  return get(get(spec, "args"), key);
}

Json expect_without(const Case& test, std::initializer_list<std::string_view> left_out) {
  Json expect = Json::object();
  for (const auto& [key, value, line, column] : test.expect().as_object()) {
    if (std::find(left_out.begin(), left_out.end(), key) == left_out.end()) {
      expect.set(key, value);
    }
  }
  return expect;
}

std::vector<std::string> check_config_error(const Json& observed,
                                            const std::vector<std::string>& facts) {
  const Json& exception = get(observed, "exception");
  if (exception.is_null()) return {"nothing was refused"};
  if (exception.at("type").as_string() != "ConfigError") {
    return {"refused by " + brief(exception) + " instead of a ConfigError"};
  }
  const std::string& message = exception.at("message").as_string();
  for (const std::string& fact : facts) {
    if (message.find(fact) == std::string::npos) {
      return {"'" + message + "' doesn't name '" + fact + "'"};
    }
  }
  return {};
}

bool fits_and_resumes(const Case& test) {
  const std::vector<Json> calls = test.calls();
  return calls.size() == 2 && calls[0].at("call").as_string() == "fit" &&
         calls[1].at("call").as_string() == "fit" && calls[1].contains("ckpt_path");
}

Case uninterrupted(const Case& test) {
  const Json second = test.calls().at(1);
  Case whole = test;
  Json trainer = test.trainer();
  for (const auto& [key, value, line, column] : members(get(second, "new_trainer"))) {
    trainer.set(key, value);
  }
  whole.document.set("trainer", trainer);
  whole.document.erase("sequence");
  whole.document.erase("script");
  return whole;
}

}  // namespace grapnel::oracle
