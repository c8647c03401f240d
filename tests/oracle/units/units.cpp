#include "units/units.h"

#include <grapnel/base/error.h>
#include <grapnel/base/text.h>
#include <grapnel/callbacks/ema_weight_averaging.h>
#include <grapnel/callbacks/gradient_accumulation_scheduler.h>
#include <grapnel/callbacks/model_checkpoint.h>
#include <grapnel/callbacks/timer.h>
#include <grapnel/lr_find_result.h>
#include <grapnel/progress.h>
#include <grapnel/summary.h>

#include <functional>
#include <map>

#include "callbacks/make.h"
#include "exceptions.h"
#include "functions.h"
#include "oracle_module.h"
#include "units/fabric.h"

namespace grapnel::oracle {
namespace {

// What a call returns, or what it throws.
Json attempt(const std::function<Json()>& call) {
  try {
    return call();
  } catch (...) {
    const Thrown thrown = describe(std::current_exception());
    Json json = Json::object();
    json.set("type", thrown.type);
    json.set("message", thrown.message);
    return json;
  }
}

Json callback_spec(std::string_view type, const Json& arguments) {
  Json spec = Json::object();
  spec.set("type", type);
  spec.set("args", arguments);
  return spec;
}

// The callback of a class that a case's arguments make.
template <class T>
std::shared_ptr<T> make(std::string_view type, const Json& arguments, Journal& journal) {
  return std::dynamic_pointer_cast<T>(
      make_callback(callback_spec(type, arguments), journal).callback);
}

Json format_checkpoint_name(const Case& test, Journal& journal) {
  Json results = Json::array();
  for (const Json& input : get(test.document, "inputs").as_array()) {
    results.append(attempt([&]() -> Json {
      Json arguments = Json::object();
      for (const char* key : {"dirpath", "filename", "auto_insert_metric_name"}) {
        if (const Json* value = input.find(key)) arguments.set(key, *value);
      }
      ModelCheckpoint::Metrics metrics;
      for (const auto& [name, value, line, column] : members(get(input, "metrics"))) {
        if (value.is_integer()) {
          metrics.emplace_back(name, value.as_int());
        } else {
          metrics.emplace_back(name, value.as_double());
        }
      }
      std::optional<std::int64_t> version;
      if (const Json& ver = get(input, "ver"); !ver.is_null()) version = ver.as_int();
      std::optional<std::string> prefix;
      if (const Json& text = get(input, "prefix"); !text.is_null()) prefix = text.as_string();
      return make<ModelCheckpoint>("ModelCheckpoint", arguments, journal)
          ->format_checkpoint_name(metrics, text_or(input, "call_filename", ""), version, prefix);
    }));
  }
  return results;
}

Json gradient_accumulation(const Case& test, Journal& journal) {
  Json scheduling = Json::object();
  scheduling.set("$intkeys", get(test.document, "scheduling"));
  Json arguments = Json::object();
  arguments.set("scheduling", std::move(scheduling));
  const auto callback =
      make<GradientAccumulationScheduler>("GradientAccumulationScheduler", arguments, journal);
  Json factors = Json::array();
  for (std::int64_t epoch = 0; epoch < int_or(test.document, "epochs", 0); ++epoch) {
    factors.append(callback->get_accumulate_grad_batches(epoch));
  }
  Json epochs = Json::array();
  for (const auto& [epoch, factor] : callback->scheduling()) epochs.append(epoch);
  Json result = Json::object();
  result.set("factors", std::move(factors));
  result.set("going_to", callback->going_to_accumulate_grad_batches());
  result.set("epochs", std::move(epochs));
  return result;
}

Json timer_parse(const Case& test, Journal& journal) {
  Json results = Json::array();
  for (const Json& input : get(test.document, "inputs").as_array()) {
    results.append(attempt([&]() -> Json {
      Json arguments = Json::object();
      arguments.set("duration", input);
      const auto left = make<Timer>("Timer", arguments, journal)->time_remaining();
      return left ? number(*left) : Json();
    }));
  }
  return results;
}

Json tqdm_format_num(const Case& test, Journal&) {
  Json results = Json::array();
  for (const Json& input : get(test.document, "inputs").as_array()) {
    if (input.is_integer()) {
      results.append(format_postfix_value(input.as_int()));
    } else if (is_number(input)) {
      results.append(format_postfix_value(input.as_double()));
    } else {
      results.append(format_postfix_value(input.as_string()));
    }
  }
  return results;
}

Json human_readable(const Case& test, Journal&) {
  Json results = Json::array();
  for (const Json& input : get(test.document, "inputs").as_array()) {
    std::string text = human_count(static_cast<std::uint64_t>(input.as_double()));
    // Recorded with the place of the letter that small counts don't have.
    if (text.find(' ') == std::string::npos) text += "  ";
    results.append(text);
  }
  return results;
}

std::vector<double> doubles(const Json& list) {
  std::vector<double> values;
  for (const Json& value : items(list)) values.push_back(value.as_double());
  return values;
}

Json lr_suggestion(const Case& test, Journal&) {
  Json results = Json::array();
  for (const Json& input : get(test.document, "inputs").as_array()) {
    LRFindResult found;
    found.lr = doubles(input.at("lr"));
    found.loss = doubles(input.at("loss"));
    const Json& given = get(input, "kw");
    const auto index =
        found.suggested_index(static_cast<std::size_t>(int_or(given, "skip_begin", 10)),
                              static_cast<std::size_t>(int_or(given, "skip_end", 1)));
    Json& result = results.append(Json::object());
    result.set("suggestion", index ? number(found.lr[*index]) : Json());
    result.set("optimal_idx", index ? Json(static_cast<std::int64_t>(*index)) : Json());
  }
  return results;
}

// Puts a submodule and what is below it in eval mode.
void set_eval(Module& module, const std::string& path) {
  auto modes = module.training_modes();
  for (auto& [name, training] : modes) {
    if (name == path || name.starts_with(path + ".")) training = false;
  }
  module.set_training_modes(modes);
}

Json summary(const Case& test, Journal& journal) {
  OracleModule module(test.model(), journal);
  for (const Json& path : items(get(test.document, "eval_modules"))) {
    set_eval(module, path.as_string());
  }
  const Summary found = summarize(module, int_or(test.document, "max_depth", 1));
  Json names = Json::array();
  Json types = Json::array();
  Json counts = Json::array();
  Json in_sizes = Json::array();
  Json out_sizes = Json::array();
  Json modes = Json::array();
  std::int64_t total_layer_params = 0;
  const auto size = [](const std::string& text) {
    return text == "?" ? Json(text) : parse_json(text, "sizes");
  };
  for (const LayerSummary& layer : found.layers) {
    names.append(layer.name);
    types.append(layer.type);
    counts.append(layer.num_parameters);
    in_sizes.append(size(layer.in_size));
    out_sizes.append(size(layer.out_size));
    modes.append(layer.training);
    total_layer_params += layer.num_parameters;
  }
  Json total_modes = Json::object();
  total_modes.set("train", found.modules_in_train_mode);
  total_modes.set("eval", found.modules_in_eval_mode);
  Json result = Json::object();
  result.set("table", found.to_text());
  result.set("layer_names", std::move(names));
  result.set("layer_types", std::move(types));
  result.set("param_nums", std::move(counts));
  result.set("in_sizes", found.has_sizes ? std::move(in_sizes) : Json());
  result.set("out_sizes", found.has_sizes ? std::move(out_sizes) : Json());
  result.set("total_parameters", found.total_parameters);
  result.set("trainable_parameters", found.trainable_parameters);
  result.set("model_size", number(found.model_size));
  result.set("total_layer_params", total_layer_params);
  result.set("training_modes", std::move(modes));
  result.set("total_training_modes", std::move(total_modes));
  result.set("total_flops", found.total_flops);
  return result;
}

Json state_keys(const Case& test, Journal& journal) {
  Json results = Json::array();
  for (const Json& input : get(test.document, "inputs").as_array()) {
    const Json::Array& pair = input.as_array();
    results.append(attempt([&]() -> Json {
      return make_callback(callback_spec(pair.at(0).as_string(), pair.at(1)), journal)
          .callback->state_key();
    }));
  }
  return results;
}

Json ema_should_update(const Case& test, Journal& journal) {
  Json results = Json::array();
  for (const Json& input : get(test.document, "inputs").as_array()) {
    results.append(attempt([&]() -> Json {
      const auto callback = make<EMAWeightAveraging>("EMAWeightAveraging", input, journal);
      Json steps = Json::array();
      for (std::int64_t i = 0; i < 10; ++i) steps.append(callback->should_update(i, {}));
      Json epochs = Json::array();
      for (std::int64_t i = 0; i < 5; ++i) epochs.append(callback->should_update({}, i));
      Json result = Json::object();
      result.set("steps", std::move(steps));
      result.set("epochs", std::move(epochs));
      return result;
    }));
  }
  return results;
}

using Unit = Json (*)(const Case&, Journal&);

const std::map<std::string, Unit>& units() {
  static const std::map<std::string, Unit> table = {
      {"unit_ema_should_update", ema_should_update},
      {"unit_fabric", fabric_calls},
      {"unit_format_checkpoint_name", format_checkpoint_name},
      {"unit_gas", gradient_accumulation},
      {"unit_human_readable", human_readable},
      {"unit_lr_suggestion", lr_suggestion},
      {"unit_state_keys", state_keys},
      {"unit_summary", summary},
      {"unit_timer_parse", timer_parse},
      {"unit_tqdm_format_num", tqdm_format_num},
  };
  return table;
}

}  // namespace

Json run_unit(const Case& test, Journal& journal) {
  const auto found = units().find(test.entry);
  if (found == units().end()) throw Error("this build has nothing for '" + test.entry + "'");
  Json observed = Json::object();
  observed.set("result", found->second(test, journal));
  return observed;
}

}  // namespace grapnel::oracle
