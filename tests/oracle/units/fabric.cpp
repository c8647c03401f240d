// A case's callbacks have methods with Python signatures: ["a", "b=7", "*args", "k=1", "**kw"]. Each
// becomes a handler with the same parameters, which reports what it was called with in Python's way.
#include "units/fabric.h"

#include <fmt/core.h>
#include <fmt/format.h>
#include <grapnel/fabric.h>

#include <set>

#include "exceptions.h"

namespace grapnel::oracle {
namespace {

// ---- Values, in Python's words

EventValue event_value(const Json& json) {
  if (json.is_bool()) return json.as_bool();
  if (json.is_integer()) return json.as_int();
  if (json.is_number()) return json.as_double();
  if (json.is_string()) return json.as_string();
  if (json.is_null()) return {};
  const auto plain = [](const Json& item) { return event_value(item).value(); };
  if (json.is_array()) {
    StateList list;
    for (const Json& item : json.as_array()) list.push_back(plain(item));
    return list;
  }
  StateDict dict;
  for (const auto& [key, value, line, column] : json.as_object()) dict[key] = plain(value);
  return dict;
}

std::string repr(const StateValue& value);

std::string listed(const StateList& list) {
  std::vector<std::string> items;
  for (const StateValue& item : list) items.push_back(repr(item));
  return fmt::format("{}", fmt::join(items, ", "));
}

// As Python's str() writes it.
std::string str(const StateValue& value) {
  if (value.is_null()) return "None";
  if (value.is_bool()) return value.to_bool() ? "True" : "False";
  if (value.is_int()) return std::to_string(value.to_int());
  if (value.is_double()) {
    const std::string text = fmt::format("{}", value.to_double());
    return text.find_first_of(".einf") == std::string::npos ? text + ".0" : text;
  }
  if (value.is_string()) return value.to_string();
  if (value.is_list()) return "[" + listed(value.to_list()) + "]";
  std::vector<std::string> pairs;
  for (const auto& [key, item] : value.to_dict()) pairs.push_back("'" + key + "': " + repr(item));
  return fmt::format("{{{}}}", fmt::join(pairs, ", "));
}

std::string repr(const StateValue& value) {
  return value.is_string() ? "'" + value.to_string() + "'" : str(value);
}

// A default in a signature: 7, 0.5, 'x', None, True.
EventValue literal(const std::string& text) {
  if (text == "None") return {};
  if (text == "True" || text == "False") return text == "True";
  if (text.size() >= 2 && (text.front() == '\'' || text.front() == '"')) {
    return text.substr(1, text.size() - 2);
  }
  return event_value(parse_json(text, "a default"));
}

// ---- Callbacks

struct Method {
  EventHandler handler;
  std::string args;    // name of *args; empty: none
  std::string kwargs;  // name of **kwargs
};

Method parse_method(const std::string& name, const Json& signature) {
  Method method;
  method.handler.event = name;
  bool by_name_only = false;
  for (const Json& item : items(signature)) {
    const std::string& text = item.as_string();
    if (text == "/") continue;
    if (text.starts_with("**")) {
      method.kwargs = text.substr(2);
      method.handler.takes_more_named = true;
    } else if (text.starts_with("*")) {
      method.args = text.substr(1);
      method.handler.takes_more_positional = !method.args.empty();
      by_name_only = true;
    } else {
      const std::size_t equals = text.find('=');
      EventParameter parameter(text.substr(0, equals));
      if (equals != std::string::npos) parameter.default_value = literal(text.substr(equals + 1));
      parameter.by_name_only = by_name_only;
      method.handler.parameters.push_back(std::move(parameter));
    }
  }
  return method;
}

// "a=1,args=(2,),k=3,kw={'z': 1}", in the order of a Python signature.
std::string arguments_text(const Method& method, const BoundArguments& bound) {
  std::vector<std::string> parts;
  const auto add = [&](bool by_name_only) {
    for (std::size_t i = 0; i < bound.values.size(); ++i) {
      const EventParameter& parameter = method.handler.parameters[i];
      if (parameter.by_name_only != by_name_only) continue;
      parts.push_back(parameter.name + "=" + str(bound.values[i].value()));
    }
  };
  add(false);
  if (!method.args.empty()) {
    StateList rest;
    for (const EventValue& value : bound.rest.positional) rest.push_back(value.value());
    parts.push_back(method.args + "=(" + listed(rest) + (rest.size() == 1 ? ",)" : ")"));
  }
  add(true);
  if (!method.kwargs.empty()) {
    StateDict rest;
    for (const NamedArgument& argument : bound.rest.named) {
      rest[argument.name] = argument.value.value();
    }
    parts.push_back(method.kwargs + "=" + str(rest));
  }
  return fmt::format("{}", fmt::join(parts, ","));
}

class DescribedCallback : public EventHandlers {
 public:
  DescribedCallback(const Json& description, Journal& journal)
      : who_(description.at("who").as_string()) {
    std::set<std::string> raising;
    for (const Json& name : items(get(description, "raises"))) raising.insert(name.as_string());
    for (const auto& [name, signature, line, column] : members(get(description, "methods"))) {
      Method method = parse_method(name, signature);
      EventHandler handler = method.handler;
      handler.call = [this, &journal, method = std::move(method), raises = raising.contains(name)](
                         CustomEvent& event, const BoundArguments& bound) {
        journal.enter(who_, event.name, arguments_text(method, bound));
        if (raises) throw RuntimeError("scripted");
      };
      add_handler(std::move(handler));
    }
    const Json& attributes = get(description, "attrs");
    if (attributes.is_array()) {
      for (const Json& name : attributes.as_array()) add_handler({.event = name.as_string()});
    } else {
      for (const auto& [name, value, line, column] : members(attributes)) {
        add_handler({.event = name});
      }
    }
  }

  std::string owner_name() const override { return who_; }

 private:
  std::string who_;
};

Json call(Fabric& fabric, const Json& described) {
  EventArguments arguments;
  for (const Json& value : items(get(described, "args"))) arguments.add(event_value(value));
  for (const auto& [name, value, line, column] : members(get(described, "kwargs"))) {
    arguments.add(arg(name, event_value(value)));
  }
  try {
    fabric.call_with(described.at("hook").as_string(), arguments);
    return {};
  } catch (...) {
    const Thrown thrown = describe(std::current_exception());
    Json json = Json::object();
    json.set("type", thrown.type);
    json.set("message", thrown.message);
    return json;
  }
}

}  // namespace

Json fabric_calls(const Case& test, Journal& journal) {
  FabricOptions options;
  for (const Json& description : items(get(test.document, "fabric_callbacks"))) {
    options.callbacks.emplace_back(std::make_shared<DescribedCallback>(description, journal));
  }
  Fabric fabric(std::move(options));
  Json results = Json::array();
  for (const Json& described : items(get(test.document, "calls"))) {
    results.append(call(fabric, described));
  }
  return results;
}

}  // namespace grapnel::oracle
