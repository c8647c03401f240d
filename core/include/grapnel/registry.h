// The things of one kind that run.json can name: callbacks, loggers, optimizers, learning-rate
// schedulers, data sets and models. Each kind has one table of rows, in registry.cpp of its folder.
//
//   for (const auto& entry : callback_registry()) print(entry.name(), entry.summary());
//
// A thing is known by the name of its options table; a callback and a logger by its class too, so
// that "early_stopping" and "EarlyStopping" are the same. One that was renamed is also made under its
// former names.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>
#include <vector>

#include "grapnel/base/error.h"
#include "grapnel/base/json.h"
#include "grapnel/base/parameters.h"
#include "grapnel/export.h"

namespace grapnel {

// One row. Made: what is made, a std::shared_ptr<Logger> for instance. Arguments: what it takes
// besides its options, such as the parameters to optimize.
template <class Made, class... Arguments>
struct RegistryEntry {
  const ParameterTable& (*parameters)();
  Made (*make)(const Parameters& parameters, Arguments... arguments);
  const std::type_info* type;                           // of the class
  std::span<const std::string_view> former_names = {};  // the latest first

  const std::string& name() const { return parameters().name(); }        // "early_stopping"
  const std::string& summary() const { return parameters().summary(); }  // one sentence
};

// ConfigError at `at`: "there is no optimizer named 'Adma'; did you mean 'Adam'?; known are ...".
// `thing` is the kind in words, `context` the path that becomes the error's key.
GRAPNEL_CORE_API ConfigError unknown_name(const SourcePosition& at, std::string_view context,
                                          std::string_view thing, std::string_view name,
                                          std::span<const std::string> known);

// How names are compared: letter by letter, or without case and underscores, so that the name of a
// class is found as well.
enum class RegistryNames { exact, by_class };

namespace detail {

// "EarlyStopping" and "early_stopping" -> "earlystopping"; without the suffix, if there is one.
GRAPNEL_CORE_API std::string folded_name(std::string_view name, std::string_view suffix = {});

// {"name": "AdamW", "lr": 0.001}, or "AdamW" alone. Throws ConfigError for any other shape.
struct NamedSection {
  ConfigValue name;        // a string
  ConfigValue parameters;  // an object, without the name
};
GRAPNEL_CORE_API NamedSection split_named_section(const ConfigValue& config,
                                                  std::string_view context, std::string_view thing,
                                                  std::span<const std::string> known);

GRAPNEL_CORE_API void log_former_name(std::string_view thing, std::string_view former,
                                      std::string_view name, std::string_view context);

// The error of a constructor, which doesn't know the file, at the option's value in `section`.
GRAPNEL_CORE_API ConfigError located(const ConfigError& error, const ConfigValue& section,
                                     std::string_view context);

}  // namespace detail

template <class Made, class... Arguments>
class Registry {
 public:
  using Entry = RegistryEntry<Made, Arguments...>;

  // thing: the kind in words, "logger". suffix: what names of classes may end in, "logger" for
  // "CSVLogger". Both live as long as the registry.
  constexpr Registry(std::string_view thing, std::span<const Entry> entries, RegistryNames names,
                     std::string_view suffix = {})
      : thing_(thing), entries_(entries), names_(names), suffix_(suffix) {}

  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }
  std::size_t size() const { return entries_.size(); }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const Entry& entry : entries_) names.push_back(entry.name());
    return names;
  }

  // nullptr: there is none.
  const Entry* find(std::string_view name) const {
    for (const Entry& entry : entries_) {
      if (same(entry.name(), name)) return &entry;
    }
    return nullptr;
  }

  // By a former name.
  const Entry* find_renamed(std::string_view name) const {
    for (const Entry& entry : entries_) {
      for (const std::string_view former : entry.former_names) {
        if (same(former, name)) return &entry;
      }
    }
    return nullptr;
  }

  // `context` is the path of the section for errors: "callbacks.early_stopping". A former name is
  // taken, with an info message. Throws ConfigError, positioned, for a name that isn't known (with
  // the nearest and all), and for options that are not accepted.
  Made make(std::string_view name, const ConfigValue& section, std::string_view context,
            Arguments... arguments) const {
    const Entry& entry = get(name, section, context);
    return make(entry, section, context, std::forward<Arguments>(arguments)...);
  }

  // The same for a section that has the name in it: {"name": "AdamW", "lr": 0.001} or "AdamW".
  Made make_named(const ConfigValue& section, std::string_view context,
                  Arguments... arguments) const {
    const detail::NamedSection named =
        detail::split_named_section(section, context, thing_, names());
    const Entry& entry = get(named.name.as_string(), named.name, context);
    return make(entry, named.parameters, context, std::forward<Arguments>(arguments)...);
  }

 private:
  bool same(std::string_view a, std::string_view b) const {
    if (names_ == RegistryNames::exact) return a == b;
    return detail::folded_name(a, suffix_) == detail::folded_name(b, suffix_);
  }

  const Entry& get(std::string_view name, const ConfigValue& at, std::string_view context) const {
    if (const Entry* entry = find(name)) return *entry;
    const Entry* renamed = find_renamed(name);
    if (renamed == nullptr) throw unknown_name(at.position(), context, thing_, name, names());
    detail::log_former_name(thing_, name, renamed->name(), context);
    return *renamed;
  }

  Made make(const Entry& entry, const ConfigValue& section, std::string_view context,
            Arguments... arguments) const {
    const Parameters parameters = entry.parameters().validate(section, context);
    try {
      return entry.make(parameters, std::forward<Arguments>(arguments)...);
    } catch (const ConfigError& error) {
      throw detail::located(error, section, context);
    }
  }

  std::string_view thing_;
  std::span<const Entry> entries_;
  RegistryNames names_;
  std::string_view suffix_;
};

}  // namespace grapnel
