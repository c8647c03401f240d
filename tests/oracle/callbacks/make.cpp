#include "callbacks/make.h"

#include <grapnel/base/error.h>
#include <grapnel/callbacks/device_stats_monitor.h>
#include <grapnel/callbacks/lambda_callback.h>
#include <grapnel/callbacks/registry.h>
#include <grapnel/callbacks/throughput_monitor.h>

#include <functional>
#include <map>

#include "callbacks/log.h"
#include "callbacks/lr_finder.h"
#include "callbacks/model_changes.h"
#include "callbacks/plain.h"
#include "callbacks/prediction_writer.h"
#include "callbacks/trace.h"
#include "functions.h"

namespace grapnel::oracle {
namespace {

// Arguments as run.json takes them: a time span in seconds, a map with integer keys as an object.
Json plain_arguments(const Json& arguments) {
  Json plain = Json::object();
  for (const auto& [key, value, line, column] : members(arguments)) {
    if (key == "log_rank_zero_only") continue;  // there is one process
    if (value.contains("$timedelta")) {
      plain.set(key, timedelta_seconds(value));
    } else if (key == "duration" && value.is_object()) {
      plain.set(key, timedelta_seconds(value));
    } else if (value.contains("$intkeys")) {
      plain.set(key, value.at("$intkeys"));
    } else {
      plain.set(key, value);
    }
  }
  return plain;
}

using Maker = std::function<CallbackHandle(const Json& arguments, Journal& journal)>;

template <class T>
Maker trace(const char* who) {
  return [who](const Json& arguments, Journal& journal) -> CallbackHandle {
    return std::make_shared<T>(journal, text_or(arguments, "who", who));
  };
}

// A tag may be written as a number.
std::string tag_of(const Json& arguments) {
  const Json& tag = get(arguments, "tag");
  if (tag.is_null()) return {};
  return tag.is_string() ? tag.as_string() : write_json(tag);
}

template <class T>
Maker tagged() {
  return [](const Json& arguments, Journal&) -> CallbackHandle {
    return std::make_shared<T>(tag_of(arguments));
  };
}

// Makers that need no journal.
Maker of_arguments(CallbackHandle (*make)(const Json& arguments)) {
  return [make](const Json& arguments, Journal&) { return make(arguments); };
}

CallbackHandle lambda_callback(const Json& arguments, Journal& journal) {
  LambdaHooks hooks;
  for (const Json& item : items(get(arguments, "hooks"))) {
    const std::string& wanted = item.as_string();
    const auto enter = [&journal, wanted](auto&) { journal.enter("lambda", wanted); };
#define GRAPNEL_HOOK(id, name, EventType, stage, module) \
  if (wanted == #name) hooks.name = enter;
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
  }
  return std::make_shared<LambdaCallback>(std::move(hooks));
}

CallbackHandle device_stats_monitor(const Json& arguments, Journal& journal) {
  DeviceStatsMonitorOptions options;
  if (const Json& wanted = get(arguments, "cpu_stats"); !wanted.is_null()) {
    options.cpu_stats = wanted.as_bool();
  }
  if (flag_or(journal.test().document, "fake_cpu_stats", false)) {
    options.cpu_source = [] {
      return Logger::Metrics{{"cpu_vm_percent", 1}, {"cpu_percent", 2}, {"cpu_swap_percent", 3}};
    };
  }
  return std::make_shared<DeviceStatsMonitor>(std::move(options));
}

// {"$fn": "batch_size"} or {"$fn": "numel"}, of a batch's first tensor.
std::function<std::int64_t(const Batch&)> batch_function(const Json& spec) {
  const std::string name = text_or(spec, "$fn", "");
  if (name == "batch_size") return [](const Batch& batch) { return batch[0].size(0); };
  if (name == "numel") return [](const Batch& batch) { return batch[0].numel(); };
  return {};
}

CallbackHandle throughput_monitor(const Json& arguments, Journal&) {
  ThroughputMonitorOptions options;
  options.batch_size_fn = batch_function(get(arguments, "batch_size_fn"));
  options.length_fn = batch_function(get(arguments, "length_fn"));
  options.window_size = int_or(arguments, "window_size", options.window_size);
  options.separator = text_or(arguments, "separator", options.separator);
  return std::make_shared<ThroughputMonitor>(std::move(options));
}

// Through the registry's table but for the milestones, which are the case's own.
CallbackHandle my_lr_finder(const Json& arguments, Journal&) {
  std::set<std::int64_t> milestones;
  for (const Json& epoch : items(get(arguments, "milestones"))) milestones.insert(epoch.as_int());
  Json rest = arguments;
  rest.erase("milestones");
  return std::make_shared<MyLRFinder>(LearningRateFinder::options_table().read(rest, "MyLRFinder"),
                                      std::move(milestones));
}

// The callbacks that are written here, or that take functions; the rest is in the library's registry.
const std::map<std::string, Maker>& makers() {
  static const std::map<std::string, Maker> table = {
      {"BackboneFinetuning", of_arguments(make_backbone_finetuning)},
      {"DeviceStatsMonitor", device_stats_monitor},
      {"LambdaCallback", lambda_callback},
      {"LogCallback",
       [](const Json& arguments, Journal&) -> CallbackHandle {
         return std::make_shared<LogCallback>(get(arguments, "log"));
       }},
      {"ModelPruning", of_arguments(make_model_pruning)},
      {"MyCheckpoint", tagged<MyCheckpoint>()},
      {"MyLRFinder", my_lr_finder},
      {"MyProgressBar",
       [](const Json&, Journal&) -> CallbackHandle { return std::make_shared<MyProgressBar>(); }},
      {"Plain", tagged<Plain>()},
      {"PlainChild", tagged<PlainChild>()},
      {"PlanFinetuning", of_arguments(make_plan_finetuning)},
      {"PredWriter",
       [](const Json& arguments, Journal& journal) -> CallbackHandle {
         const std::string interval = text_or(arguments, "write_interval", "batch");
         return std::make_shared<PredWriter>(journal, parse_write_interval(interval));
       }},
      {"TableWeightAveraging", of_arguments(make_table_weight_averaging)},
      {"ThroughputMonitor", throughput_monitor},
      {"TraceA", trace<TraceA>("A")},
      {"TraceB", trace<TraceB>("B")},
      {"TraceC", trace<TraceC>("C")},
      {"TraceKeyed",
       [](const Json& arguments, Journal& journal) -> CallbackHandle {
         return std::make_shared<TraceKeyed>(journal, tag_of(arguments),
                                             get(arguments, "tag").is_string());
       }},
  };
  return table;
}

}  // namespace

CallbackHandle make_callback(const Json& spec, Journal& journal) {
  const std::string& type = spec.at("type").as_string();
  Json arguments = plain_arguments(get(spec, "args"));
  if (const Json* name = spec.find("name_last")) arguments.set("name_last", *name);
  const auto found = makers().find(type);
  if (found != makers().end()) return found->second(arguments, journal);
  if (callback_registry().find(type) == nullptr) {
    throw Error("this build has no callback '" + type + "'");
  }
  return grapnel::make_callback(type, arguments, type);
}

std::vector<CallbackHandle> make_callbacks(const Json& specs, Journal& journal) {
  std::vector<CallbackHandle> made;
  for (const Json& spec : items(specs)) made.push_back(make_callback(spec, journal));
  return made;
}

}  // namespace grapnel::oracle
