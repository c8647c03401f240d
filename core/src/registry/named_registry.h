// Looking things up in a registry by name or by class, and making them: callbacks and loggers.
//
// An Entry has name(), parameters() and make(const Parameters&).
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grapnel/base/error.h"
#include "grapnel/base/json.h"
#include "grapnel/base/text.h"

namespace grapnel {

// "EarlyStopping" and "early_stopping" -> "earlystopping"; without the suffix, if there is one.
inline std::string folded_name(std::string_view name, std::string_view suffix = {}) {
  std::string out;
  for (const char c : name) {
    if (c == '_') continue;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  if (out.ends_with(suffix)) out.erase(out.size() - suffix.size());
  return out;
}

template <class Entry>
const Entry* find_entry(std::span<const Entry> entries, std::string_view name,
                        std::string_view suffix = {}) {
  const std::string wanted = folded_name(name, suffix);
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) {
    return folded_name(entry.name(), suffix) == wanted;
  });
  return found == entries.end() ? nullptr : &*found;
}

// what: "built-in callback". Throws ConfigError, positioned, for an unknown name (naming the
// nearest), and for parameters that the table or the thing itself refuses.
template <class Entry>
auto make_entry(std::span<const Entry> entries, std::string_view what, std::string_view name,
                const ConfigValue& config, std::string_view context, std::string_view suffix = {}) {
  const Entry* entry = find_entry(entries, name, suffix);
  if (entry == nullptr) {
    std::vector<std::string> names;
    for (const Entry& known : entries) names.push_back(known.name());
    const std::string candidate = nearest(name, names).value_or("");
    const std::string hint = candidate.empty() ? "" : "; did you mean " + quote(candidate) + "?";
    throw config.error(fmt::format("there is no {} named {}{}; known are {}", what, quote(name),
                                   hint, join_quoted(names, "and")),
                       std::string(context), candidate);
  }
  const Parameters parameters = entry->parameters().validate(config, context);
  try {
    return entry->make(parameters);
  } catch (const ConfigError& error) {
    if (error.line > 0) throw;
    throw config.error(error.what(), error.key.empty() ? std::string(context)
                                                       : fmt::format("{}.{}", context, error.key));
  }
}

}  // namespace grapnel
