#include "rules_evaluation.h"

#include <string_view>

#include "compare.h"
#include "rule_parts.h"
#include "run_case.h"
#include "values.h"

namespace grapnel::oracle {

// ---- bookkeeping_stays

namespace {

// For each call: whether it evaluates a checkpoint in a trainer that has fitted before.
std::vector<bool> evaluations_after_fit(const Case& test) {
  std::vector<bool> result;
  bool fitted = false;
  for (const Json& call : test.calls()) {
    const std::string& name = call.at("call").as_string();
    if (call.contains("new_trainer")) fitted = false;
    const bool evaluates = name == "validate" || name == "test" || name == "predict";
    // Without a module and a path it is the best one.
    const bool loads = call.contains("ckpt_path") || flag_or(call, "model_none", false);
    result.push_back(fitted && evaluates && loads);
    fitted = fitted || name == "fit";
  }
  return result;
}

// The recorded trace without loading of states in those evaluations.
Json without_loads(const Case& test) {
  const std::vector<bool> concerned = evaluations_after_fit(test);
  Json trace = Json::array();
  std::size_t calls = 0;
  for (const Json& entry : items(get(test.expect(), "trace"))) {
    const std::string& text = entry.as_string();
    if (text.starts_with("== ")) ++calls;
    const bool is_load = text.find(".load_state_dict(") != std::string::npos;
    if (is_load && calls > 0 && concerned.at(calls - 1)) continue;
    trace.append(entry);
  }
  return trace;
}

// The same calls, where those evaluations take the weights that are there.
Case without_checkpoints(const Case& test) {
  const std::vector<bool> concerned = evaluations_after_fit(test);
  Case other = test;
  Json calls = Json::array();
  for (Json call : test.calls()) {
    if (concerned.at(calls.size())) {
      call.erase("ckpt_path");
      call.erase("model_none");
    }
    calls.append(std::move(call));
  }
  other.document.set("sequence", std::move(calls));
  return other;
}

}  // namespace

bool evaluates_after_fit(const Case& test) {
  if (!get(test.expect(), "exception").is_null()) return false;
  for (const bool evaluates : evaluations_after_fit(test)) {
    if (evaluates) return true;
  }
  return false;
}

// The hooks of loading are called as recorded, and so is all the rest; only states aren't loaded, so
// that callbacks end as if their training's weights had been evaluated.
std::vector<std::string> check_bookkeeping_stays(const Case& test, const Json& observed) {
  Json expect = expect_without(test, {"callbacks"});
  if (expect.contains("trace")) expect.set("trace", without_loads(test));
  std::vector<std::string> problems = differences(test, expect, observed);
  if (!observed.contains("callbacks")) return problems;
  std::vector<std::string> log;
  const Json other = observe_case(without_checkpoints(test), log);
  if (auto found = value_difference(other.at("callbacks"), observed.at("callbacks"), "callbacks")) {
    problems.push_back("other than without a checkpoint: " + *found);
  }
  return problems;
}

}  // namespace grapnel::oracle
