#include "exceptions.h"

#include <c10/util/Type.h>
#include <grapnel/base/error.h>
#include <grapnel/base/text.h>

#include <algorithm>
#include <map>
#include <vector>

namespace grapnel::oracle {
namespace {

// The one table of types. Lightning says "misconfiguration" for everything that the user did wrong;
// ours tells apart what is wrong: the configuration, a metric, the data, a checkpoint.
const std::map<std::string_view, std::vector<std::string>>& table() {
  static const std::vector<std::string> users = {"ConfigError", "MetricError", "DataError",
                                                 "CheckpointError"};
  static const std::map<std::string_view, std::vector<std::string>> types = {
      {"MisconfigurationException", users},
      {"ValueError", users},
      {"TypeError", users},
      {"AttributeError", users},
      {"AssertionError", users},
      {"NotImplementedError", users},
      {"IndexError", users},
      {"KeyError", {"ConfigError", "CheckpointError", "MetricError"}},
      // "as its cause says": a mistake in the parts of a run, or a missing metric.
      {"RuntimeError", {"ConfigError", "MetricError", "DataError", "CheckpointError"}},
      {"FileNotFoundError", {"IoError", "CheckpointError"}},
      {"OSError", {"IoError"}},
      {"TrainingSpikeException", {"TrainingSpikeError", "SpikeError", "MetricError"}},
      // Lightning turns an interrupt into sys.exit(1).
      {"KeyboardInterrupt", {"Interrupted"}},
      {"SystemExit", {"Interrupted"}},
      {"SIGTERMException", {"Interrupted"}},
  };
  return types;
}

std::string unqualified(const std::type_info& type) {
  const std::string full = c10::demangle(type.name());
  const std::size_t at = full.rfind("::");
  return at == std::string::npos ? full : full.substr(at + 2);
}

}  // namespace

Thrown describe(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    return {unqualified(typeid(error)), error.what()};
  } catch (...) {
    return {"an object that is no std::exception", ""};
  }
}

bool stands_for(std::string_view ours, std::string_view recorded) {
  // What a script raised keeps its own class.
  if (ours == recorded) return true;
  const auto found = table().find(recorded);
  if (found == table().end()) return false;
  return std::find(found->second.begin(), found->second.end(), ours) != found->second.end();
}

std::string accepted_types(std::string_view recorded) {
  const auto found = table().find(recorded);
  return found == table().end() ? std::string(recorded) : join_quoted(found->second);
}

}  // namespace grapnel::oracle
