#include "callbacks/checkpoint_name.h"

#include <fmt/format.h>

#include <algorithm>

#include "grapnel/base/error.h"
#include "grapnel/base/text.h"

namespace grapnel {

namespace {

[[noreturn]] void refuse_name(std::string_view text, std::string_view why) {
  throw ConfigError::of("filename",
                        "the checkpoint name {} is not usable: {}; write {{metric}} or "
                        "{{metric:format}}, and write {{{{ or }}}} for a brace",
                        quote(text), why);
}

}  // namespace

std::string format_checkpoint_template(
    std::string_view text, const std::vector<std::pair<std::string, PythonNumber>>& metrics,
    std::string_view equals) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c != '{' && c != '}') {
      out += c;
      continue;
    }
    if (at + 1 < text.size() && text[at + 1] == c) {
      out += c;
      ++at;
      continue;
    }
    if (c == '}') refuse_name(text, "it closes a brace that isn't open");
    const size_t end = text.find('}', at);
    if (end == std::string_view::npos) refuse_name(text, "a brace is not closed");
    const std::string_view inside = text.substr(at + 1, end - at - 1);
    const std::string_view name = inside.substr(0, inside.find(':'));
    const std::string_view format =
        name.size() < inside.size() ? inside.substr(name.size() + 1) : std::string_view();
    if (name.empty()) refuse_name(text, "a brace names no metric");
    const auto found = std::find_if(metrics.begin(), metrics.end(),
                                    [name](const auto& metric) { return metric.first == name; });
    if (!equals.empty()) out.append(name).append(equals);
    out += python_format(found == metrics.end() ? PythonNumber(std::int64_t{0}) : found->second,
                         format);
    at = end;
  }
  return out;
}

bool is_version_of(std::string_view stem, std::string_view name, std::string_view join) {
  if (!stem.starts_with(name)) return false;
  stem.remove_prefix(name.size());
  if (stem.empty()) return true;
  if (!stem.starts_with(join)) return false;
  stem.remove_prefix(join.size());
  return stem.size() > 1 && stem[0] == 'v' &&
         stem.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

}  // namespace grapnel
