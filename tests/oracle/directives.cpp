#include "directives.h"

#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <grapnel/base/error.h>
#include <grapnel/trainer.h>

#include <algorithm>

namespace grapnel::oracle {
namespace {

LogOptions log_options(const Json& arguments) {
  LogOptions options;
  for (const auto& [key, value, line, column] : members(arguments)) {
    if (key == "on_step") {
      options.on_step = value.as_bool();
    } else if (key == "on_epoch") {
      options.on_epoch = value.as_bool();
    } else if (key == "prog_bar") {
      options.prog_bar = value.as_bool();
    } else if (key == "logger") {
      options.logger = value.as_bool();
    } else if (key == "add_dataloader_idx") {
      options.add_dataloader_idx = value.as_bool();
    } else if (key == "batch_size") {
      options.batch_size = value.as_int();
    } else if (key == "reduce_fx") {
      // A function can't be given here; torch.max over the values is "max".
      const std::string& name = value.as_string();
      options.reduce = parse_reduce(name == "callable_max" ? "max" : name);
    } else if (key == "sync_dist" || key == "rank_zero_only" || key == "enable_graph") {
      // One process, and a value that is only looked at: the same with and without.
    } else {
      throw Error("this runner's log() has no option '" + key + "'");
    }
  }
  return options;
}

bool applies(const Json& when, const Directives::Moment& moment) {
  for (const auto& [key, value, line, column] : members(when)) {
    std::int64_t found = 0;
    if (key == "current_epoch") {
      found = moment.trainer.current_epoch();
    } else if (key == "global_step") {
      found = moment.trainer.global_step();
    } else if (key == "batch_idx") {
      found = moment.batch_idx;
    } else {
      throw Error("this runner knows no condition '" + key + "' of a log directive");
    }
    if (found != value.as_int()) return false;
  }
  return true;
}

at::Tensor float_scalar(double value) {
  return at::scalar_tensor(value, at::TensorOptions().dtype(at::kFloat));
}

}  // namespace

Directives::Directives(const Json& list) {
  for (const Json& spec : items(list)) directives_.push_back({spec});
}

bool Directives::has(std::string_view hook) const {
  return std::any_of(directives_.begin(), directives_.end(), [&](const Directive& directive) {
    return directive.spec.at("in").as_string() == hook;
  });
}

void Directives::run(std::string_view hook, const Moment& moment, const Log& log) {
  for (Directive& directive : directives_) {
    const Json& spec = directive.spec;
    if (spec.at("in").as_string() != hook || !applies(get(spec, "when"), moment)) continue;

    const auto value_of = [&](const Json& value) -> LogValue {
      if (is_number(value)) return value.as_double();
      if (value.is_bool()) return value.as_bool() ? 1.0 : 0.0;
      if (value.is_string()) {
        const std::string& what = value.as_string();
        if (what == "loss") return moment.loss;
        if (what == "batch_idx") return static_cast<double>(moment.batch_idx);
        if (what == "epoch") return static_cast<double>(moment.trainer.current_epoch());
        if (what == "global_step") return static_cast<double>(moment.trainer.global_step());
        throw Error("this runner can't log a value of the kind '" + what + "'");
      }
      if (const Json* vector = value.find("vector")) {
        std::vector<float> elements;
        for (const Json& item : vector->as_array()) {
          elements.push_back(static_cast<float>(item.as_double()));
        }
        return at::tensor(elements);
      }
      const Json::Array& table = value.at("table").as_array();
      const std::string by = text_or(value, "by", "epoch");
      std::int64_t i = 0;
      if (by == "epoch") {
        i = moment.trainer.current_epoch();
      } else if (by == "batch_idx") {
        i = moment.batch_idx;
      } else if (!moment.trainer.sanity_checking()) {
        i = directive.calls++;
      }
      const auto last = static_cast<std::int64_t>(table.size()) - 1;
      return float_scalar(table[static_cast<std::size_t>(std::min(i, last))].as_double());
    };

    const LogOptions options = log_options(get(spec, "args"));
    if (const Json* dict = spec.find("dict")) {
      for (const auto& [name, value, line, column] : dict->as_object()) {
        log(name, value_of(value), options);
      }
    } else {
      log(spec.at("name").as_string(), value_of(spec.at("value")), options);
    }
  }
}

}  // namespace grapnel::oracle
