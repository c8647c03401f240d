#include "schedulers.h"

#include <grapnel/lr_schedulers.h>
#include <grapnel/lr_schedulers/registry.h>

#include <string>
#include <vector>

#include "functions.h"

namespace grapnel::oracle {
namespace {

// One function for all groups, or one each.
std::vector<LRLambda> lambdas(const Json& functions) {
  if (!functions.is_array()) return {number_function(functions)};
  std::vector<LRLambda> all;
  for (const Json& function : functions.as_array()) all.push_back(number_function(function));
  return all;
}

template <class T>
std::shared_ptr<LRScheduler> make_by_function(std::shared_ptr<Optimizer> optimizer,
                                              const Json& functions) {
  const std::vector<LRLambda> all = lambdas(functions);
  if (all.size() == 1) return std::make_shared<T>(std::move(optimizer), all[0]);
  return std::make_shared<T>(std::move(optimizer), all);
}

}  // namespace

SchedulerConfig make_scheduler(const Json& spec, std::shared_ptr<Optimizer> optimizer) {
  const std::string& type = spec.at("type").as_string();
  const Json& arguments = get(spec, "args");
  // As run.json has it: the parameters and how the loop uses it, side by side.
  Json config = Json::object();
  config.set("name", type);
  for (const auto& [key, value, line, column] : members(arguments)) config.set(key, value);
  for (const auto& [key, value, line, column] : spec.as_object()) {
    if (key == "type" || key == "args" || key == "optimizer") continue;
    config.set(key == "name" ? "label" : key, value);
  }
  if (type != "LambdaLR" && type != "MultiplicativeLR") {
    return make_scheduler_config(config, "scheduler", std::move(optimizer));
  }
  // Only for how it is used, and changing no rate: functions can't stand in a file.
  config.set("name", "ConstantLR");
  config.set("factor", 1.0);
  config.erase("lr_lambda");
  SchedulerConfig made = make_scheduler_config(config, "scheduler", optimizer);
  const Json& functions = arguments.at("lr_lambda");
  made.scheduler = type == "LambdaLR" ? make_by_function<LambdaLR>(optimizer, functions)
                                      : make_by_function<MultiplicativeLR>(optimizer, functions);
  return made;
}

}  // namespace grapnel::oracle
