#include "compare.h"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "exceptions.h"
#include "facts.h"
#include "tables.h"
#include "values.h"

namespace grapnel::oracle {
namespace {

using Difference = std::optional<std::string>;

// Entries of things that Lightning has and the library hasn't: the model's graph for loggers.
bool is_lacking(const std::string& entry) {
  return entry == "logger.log_graph()";
}

// "A.on_exception(exception=RuntimeError)" -> the class's name; empty for other entries.
std::string exception_of(const std::string& entry) {
  static const std::string marker = ".on_exception(exception=";
  const std::size_t at = entry.find(marker);
  if (at == std::string::npos) return {};
  const std::size_t begin = at + marker.size();
  return entry.substr(begin, entry.size() - begin - 1);
}

bool same_entry(const std::string& expected, const std::string& got) {
  if (expected == got) return true;
  const std::string recorded = exception_of(expected);
  const std::string ours = exception_of(got);
  return !recorded.empty() && !ours.empty() && stands_for(ours, recorded) &&
         expected.substr(0, expected.find('(')) == got.substr(0, got.find('('));
}

Difference trace_difference(const Json& expected, const Json& got) {
  std::vector<std::string> a;
  for (const Json& entry : items(expected)) {
    if (!is_lacking(entry.as_string())) a.push_back(entry.as_string());
  }
  const Json::Array& b = items(got);
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    const std::string wanted = i < a.size() ? a[i] : "(the end)";
    const std::string found = i < b.size() ? b[i].as_string() : "(the end)";
    if (same_entry(wanted, found)) continue;
    const std::string before = i == 0 ? "" : ", after " + a[i - 1];
    return "trace[" + std::to_string(i) + "]" + before + ": expected " + wanted + ", got " + found;
  }
  return {};
}

// Was this text raised by the case's own script or step? Then it must come out as it went in.
bool is_scripted(const Case& test, const std::string& message) {
  if (message.find("(simulated)") != std::string::npos) return true;
  for (const Json& action : items(get(test.document, "script"))) {
    if (text_or(action, "do", "") == "raise" && text_or(action, "msg", "scripted") == message) {
      return true;
    }
  }
  return false;
}

// Types and messages alone.
Difference thrown_difference(const Case& test, const Json& expected, const Json& got,
                             const std::string& path) {
  if (!got.is_object()) return path + ": expected " + brief(expected, 1000) + ", got " + brief(got);
  const std::string& type = expected.at("type").as_string();
  const std::string& message = expected.at("message").as_string();
  const std::string our_type = text_or(got, "type", "(none)");
  const std::string our_message = text_or(got, "message", "");
  if (is_scripted(test, message)) {
    if (our_type == type && our_message == message) return {};
    return path + ": expected " + type + " '" + message + "', got " + our_type + " '" +
           our_message + "'";
  }
  if (!stands_for(our_type, type)) {
    return path + ": expected " + type + " '" + message + "' (here " + accepted_types(type) +
           "), got " + our_type + " '" + our_message + "'";
  }
  // An interrupt's recorded message is an exit code.
  if (type == "SystemExit") return {};
  // A loss that spikes is found in a batch that no argument names.
  const MessageKind kind = type == "TrainingSpikeException" ? MessageKind::log : MessageKind::error;
  if (const auto missing = missing_fact(facts_of(message, test, kind), our_message)) {
    return path + ": the message lacks " + *missing + ": expected '" + message + "', got '" +
           our_message + "'";
  }
  return {};
}

Difference exception_difference(const Case& test, const Json& expected, const Json& got,
                                const std::string& path) {
  if (expected.is_null() && got.is_null()) return {};
  if (expected.is_null()) return path + ": expected none, got " + brief(got, 1000);
  if (got.is_null()) return path + ": expected " + brief(expected, 1000) + ", got none";
  if (get(expected, "at_call") != get(got, "at_call")) {
    return path + ": expected at call " + brief(get(expected, "at_call")) + ", got " +
           brief(got, 1000);
  }
  return thrown_difference(test, expected, got, path);
}

// Tensors with one element may be recorded as a number.
Difference tensors_difference(const Json& expected, const Json& got, const std::string& path) {
  Json ours = got;
  for (const auto& [name, value, line, column] : members(expected)) {
    Json* found = ours.find(name);
    if (found == nullptr || value.is_array() || !found->is_array() || found->size() != 1) continue;
    const Json only = found->as_array()[0];
    *found = only;
  }
  return value_difference(expected, ours, path);
}

// Keys of a checkpoint that are the library's own, or Lightning's own.
Json without(const Json& keys, std::initializer_list<std::string_view> left_out) {
  Json kept = Json::array();
  for (const Json& key : items(keys)) {
    if (std::find(left_out.begin(), left_out.end(), key.as_string()) == left_out.end()) {
      kept.append(key);
    }
  }
  return kept;
}

// The message in a callback's state is compared by its facts, and then ours passes for the recorded one.
Difference take_message(const Case& test, const Json& expected, Json& got,
                        const std::string& path) {
  static constexpr std::string_view key = "stopping_reason_message";
  const Json* theirs = expected.find(key);
  Json* ours = got.find(key);
  if (theirs == nullptr || ours == nullptr || !theirs->is_string() || !ours->is_string()) return {};
  const Facts facts = facts_of(theirs->as_string(), test, MessageKind::log);
  if (const auto missing = missing_fact(facts, ours->as_string())) {
    return path + "." + std::string(key) + ": lacks " + *missing + ": expected '" +
           theirs->as_string() + "', got '" + ours->as_string() + "'";
  }
  *ours = *theirs;
  return {};
}

Difference callbacks_difference(const Case& test, const Json& expected, const Json& got,
                                const std::string& path) {
  Json found = got;
  for (std::size_t i = 0; i < expected.size() && i < found.size(); ++i) {
    if (auto difference = take_message(test, expected.as_array()[i], found.as_array()[i],
                                       path + "[" + std::to_string(i) + "]")) {
      return difference;
    }
  }
  return value_difference(expected, found, path);
}

// An optimizer's group of parameters in our words: flags are numbers, a pair of betas is two options,
// and how PyTorch runs the update is no option.
Json our_group(const Json& group) {
  Json ours = Json::object();
  for (const auto& [name, value, line, column] : group.as_object()) {
    if (name == "betas") {
      ours.set("beta1", value.as_array().at(0));
      ours.set("beta2", value.as_array().at(1));
    } else if (value.is_bool()) {
      ours.set(name, value.as_bool() ? 1 : 0);
    } else if (!value.is_null()) {
      ours.set(name, value);
    }
  }
  for (const char* name : {"differentiable", "capturable", "decoupled_weight_decay"}) {
    ours.erase(name);
  }
  return ours;
}

// {"<optimizer>": [group...]}, as finetuning keeps them.
Difference groups_difference(const Json& expected, const Json& got, const std::string& path) {
  for (const auto& [optimizer, groups, line, column] : expected.as_object()) {
    const Json::Array& theirs = groups.as_array();
    const Json::Array& ours = items(get(got, optimizer));
    const std::string at = path + "." + optimizer;
    if (theirs.size() != ours.size()) {
      return at + ": expected " + std::to_string(theirs.size()) + " groups, got " +
             std::to_string(ours.size());
    }
    for (std::size_t i = 0; i < theirs.size(); ++i) {
      if (auto found = subset_difference(our_group(theirs[i]), ours[i],
                                         at + "[" + std::to_string(i) + "]")) {
        return found;
      }
    }
  }
  return {};
}

// A state may hold more than Lightning's: what exact resume needs.
Difference callback_state_difference(const Json& expected, const Json& got,
                                     const std::string& path) {
  static constexpr std::string_view groups = "internal_optimizer_metadata";
  if (!expected.is_object() || !expected.contains(groups)) {
    return subset_difference(expected, got, path);
  }
  Json rest = expected;
  rest.erase(groups);
  if (auto found = subset_difference(rest, got, path)) return found;
  return groups_difference(expected.at(groups), get(got, groups), path + "." + std::string(groups));
}

Difference checkpoint_difference(const Case& test, const Json& expected, const Json& got,
                                 const std::string& path) {
  for (const auto& [key, value, line, column] : expected.as_object()) {
    const Json& ours = get(got, key);
    const std::string at = path + "." + key;
    Difference found;
    if (key == "keys") {
      found = set_difference(
          without(value, {"pytorch-lightning_version", "hparams_name", "hparams_type"}),
          without(ours, {"grapnel_version", "rng", "exact_resume"}), at);
    } else if (key == "state_dict_keys") {
      found = set_difference(value, ours, at);
    } else if (key == "state_dict" || key == "current_model_state" || key == "averaging_state") {
      found = tensors_difference(value, ours, at);
    } else if (key == "callback_states") {
      for (const auto& [name, state, l, c] : value.as_object()) {
        const std::string of = at + "[" + name + "]";
        Json own = get(ours, name);
        if (!found) found = take_message(test, state, own, of);
        if (!found) found = callback_state_difference(state, own, of);
      }
    } else {
      found = value_difference(value, ours, at);
    }
    if (found) return found;
  }
  return {};
}

Difference checkpoints_difference(const Case& test, const Json& expected, const Json& got) {
  for (const auto& [file, value, line, column] : expected.as_object()) {
    if (!got.contains(file)) return "checkpoints: there is no '" + file + "'";
    if (auto found =
            checkpoint_difference(test, value, got.at(file), "checkpoints[" + file + "]")) {
      return found;
    }
  }
  return {};
}

Difference snapshots_difference(const Case& test, const Json& expected, const Json& got) {
  for (std::size_t i = 0; i < std::max(expected.size(), got.size()); ++i) {
    const std::string path = "snapshots[" + std::to_string(i) + "]";
    if (i >= expected.size()) return path + ": one too many: " + brief(got.as_array()[i]);
    if (i >= got.size()) return path + ": missing: " + brief(expected.as_array()[i]);
    for (const auto& [key, value, line, column] : expected.as_array()[i].as_object()) {
      const Json& ours = get(got.as_array()[i], key);
      const std::string at = path + "." + key;
      auto found = key == "callbacks"         ? callbacks_difference(test, value, ours, at)
                   : key == "state_dict_keys" ? set_difference(value, ours, at)
                                              : value_difference(value, ours, at);
      if (found) return found;
    }
  }
  return {};
}

// Results of units: where Lightning raised, what stands for that must have been thrown; a model's
// summary is a table.
Difference result_difference(const Case& test, const Json& expected, const Json& got,
                             const std::string& path) {
  if (expected.is_object() && expected.size() == 2 && expected.contains("type") &&
      expected.contains("message")) {
    return thrown_difference(test, expected, got, path);
  }
  if (expected.is_array() && got.is_array() && expected.size() == got.size()) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (auto found = result_difference(test, expected.as_array()[i], got.as_array()[i],
                                         path + "[" + std::to_string(i) + "]")) {
        return found;
      }
    }
    return {};
  }
  if (expected.is_object() && got.is_object()) {
    for (const auto& [key, value, line, column] : expected.as_object()) {
      const Json& ours = get(got, key);
      const std::string at = path + "." + key;
      if (key == "table" && ours.is_string()) {
        if (auto found = table_difference(value.as_string(), ours.as_string())) {
          return at + " " + *found;
        }
      } else if (auto found = result_difference(test, value, ours, at)) {
        return found;
      }
    }
    return {};
  }
  return value_difference(expected, got, path);
}

// A bar that is never shown was recorded without what it would look like.
Difference bars_difference(const Json& expected, const Json& got) {
  for (std::size_t i = 0; i < std::max(expected.size(), got.size()); ++i) {
    const std::string path = "bars[" + std::to_string(i) + "]";
    if (i >= expected.size()) return path + ": one too many: " + brief(got.as_array()[i]);
    if (i >= got.size()) return path + ": missing: " + brief(expected.as_array()[i]);
    const Json& theirs = expected.as_array()[i];
    const Json& ours = got.as_array()[i];
    auto found = subset_difference(theirs.at("init"), ours.at("init"), path + ".init");
    if (!found) {
      found = value_difference(theirs.at("events"), ours.at("events"), path + ".events");
    }
    if (found) return found;
  }
  return {};
}

Difference difference_of(const Case& test, const std::string& key, const Json& expected,
                         const Json& got) {
  if (key == "exception") return exception_difference(test, expected, got, key);
  if (key == "trace") return trace_difference(expected, got);
  if (key == "bars") return bars_difference(expected, got);
  if (key == "checkpoints") return checkpoints_difference(test, expected, got);
  if (key == "callbacks") return callbacks_difference(test, expected, got, key);
  if (key == "snapshots") return snapshots_difference(test, expected, got);
  if (key == "csv") return csv_difference(expected, got);
  if (key == "state_dict_keys") return set_difference(expected, got, key);
  if (key == "info" || key == "warnings") {
    const MessageKind kind = key == "info" ? MessageKind::log : MessageKind::error;
    auto missing = missing_message(expected, got, test, kind);
    if (missing) return key + ": " + *missing;
    return {};
  }
  if (key == "errors") {
    for (std::size_t i = 0; i < std::max(expected.size(), got.size()); ++i) {
      const auto entry = [i](const Json& list) {
        return i < list.size() ? list.as_array()[i] : Json();
      };
      auto found = exception_difference(test, entry(expected), entry(got),
                                        "errors[" + std::to_string(i) + "]");
      if (found) return found;
    }
    return {};
  }
  if (key == "result") return result_difference(test, expected, got, key);
  return value_difference(expected, got, key);
}

}  // namespace

std::vector<std::string> differences(const Case& test, const Json& expect, const Json& observed) {
  std::vector<std::string> keys = {"exception", "trace"};
  for (const auto& [key, value, line, column] : expect.as_object()) {
    if (key != "exception" && key != "trace") keys.push_back(key);
  }
  std::vector<std::string> found;
  for (const std::string& key : keys) {
    const Json* expected = expect.find(key);
    if (expected == nullptr) continue;
    if (auto difference = difference_of(test, key, *expected, get(observed, key))) {
      found.push_back(std::move(*difference));
    }
  }
  return found;
}

}  // namespace grapnel::oracle
