#include "rules_names.h"

#include <regex>
#include <set>

#include "compare.h"
#include "rule_parts.h"
#include "values.h"

namespace grapnel::oracle {
namespace {

// "{val_loss}", but neither "{val_loss:.2f}" nor "{epoch}" and "{step}", which are whole numbers.
bool has_metric_without_format(const std::string& name) {
  static const std::regex field(R"(\{([^{}:]+)\})");
  for (std::sregex_iterator it(name.begin(), name.end(), field), end; it != end; ++it) {
    const std::string metric = (*it)[1];
    if (metric != "epoch" && metric != "step") return true;
  }
  return false;
}

void add_texts(const Json& value, std::set<std::string>& texts) {
  if (value.is_string()) texts.insert(value.as_string());
  if (value.is_array()) {
    for (const Json& item : items(value)) add_texts(item, texts);
  }
  if (value.is_object()) {
    for (const auto& [key, item, line, column] : members(value)) {
      texts.insert(key);
      add_texts(item, texts);
    }
  }
}

std::set<std::string> texts_of(const Json& document) {
  std::set<std::string> texts;
  add_texts(document, texts);
  return texts;
}

// Equal but for the last digits of fractions.
bool nearly_equal(const std::string& expected, const std::string& got) {
  static const std::regex fraction(R"([0-9]+\.[0-9]+(e[-+]?[0-9]+)?)");
  std::sregex_iterator a(expected.begin(), expected.end(), fraction);
  std::sregex_iterator b(got.begin(), got.end(), fraction);
  const std::sregex_iterator end;
  std::string rest_a = expected;
  std::string rest_b = got;
  for (; a != end && b != end; ++a, ++b) {
    if (a->prefix() != b->prefix()) return false;
    if (!same_number(std::stod(a->str()), std::stod(b->str()))) return false;
    rest_a = a->suffix();
    rest_b = b->suffix();
  }
  return a == end && b == end && rest_a == rest_b;
}

}  // namespace

bool names_have_all_digits(const Case& test) {
  for (const Json& spec : items(test.callbacks())) {
    if (text_or(spec, "type", "") != "ModelCheckpoint") continue;
    const Json& name = argument(spec, "filename");
    if (name.is_string() && has_metric_without_format(name.as_string())) return true;
  }
  return false;
}

std::vector<std::string> check_names_nearly(const Case& test, const Json& observed) {
  const std::set<std::string> ours = texts_of(observed);
  Json expect = test.expect();
  for (const std::string& recorded : texts_of(test.expect())) {
    if (recorded.find(".ckpt") == std::string::npos || ours.contains(recorded)) continue;
    for (const std::string& own : ours) {
      if (nearly_equal(recorded, own)) expect = replace_text(expect, recorded, own);
    }
  }
  return differences(test, expect, observed);
}

}  // namespace grapnel::oracle
