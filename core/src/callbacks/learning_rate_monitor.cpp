#include "grapnel/callbacks/learning_rate_monitor.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/base/text.h"
#include "grapnel/callbacks/base_finetuning.h"
#include "grapnel/callbacks/stochastic_weight_averaging.h"
#include "grapnel/trainer.h"
#include "run/run.h"
#include "text/python_format.h"

namespace grapnel {

namespace {

std::string group_label(const std::vector<ParamGroup>& groups, size_t index) {
  return groups[index].name.empty() ? fmt::format("pg{}", index + 1) : groups[index].name;
}

// The names of an optimizer's groups. label: of the optimizer itself.
std::vector<std::string> group_names(const Optimizer& optimizer, const std::string& label) {
  const std::vector<ParamGroup>& groups = optimizer.groups();
  if (groups.size() == 1 && groups[0].name.empty()) return {label};
  std::vector<std::string> names;
  std::set<std::string> labels;
  for (size_t i = 0; i < groups.size(); ++i) {
    const std::string group = group_label(groups, i);
    if (!labels.insert(group).second) {
      throw ConfigError::of("",
                            "LearningRateMonitor: two parameter groups of {} are named {}; name "
                            "each group differently",
                            label, quote(group));
    }
    names.push_back(label + "/" + group);
  }
  return names;
}

double option(const ParamGroup& group, std::string_view name) {
  const auto found = group.options.find(name);
  return found == group.options.end() ? 0.0 : found->second;
}

double momentum_of(const ParamGroup& group) {
  return option(group, group.options.contains("beta1") ? "beta1" : "momentum");
}

bool lacks(const Optimizer& optimizer, std::initializer_list<std::string_view> names) {
  for (const ParamGroup& group : optimizer.groups()) {
    const auto has = [&](std::string_view name) {
      return group.options.find(name) != group.options.end();
    };
    if (std::none_of(names.begin(), names.end(), has)) return true;
  }
  return false;
}

template <class Named>
auto& value_of(Named& values, const std::string& name) {
  for (auto& [known, value] : values) {
    if (known == name) return value;
  }
  return values.emplace_back(name, typename Named::value_type::second_type()).second;
}

}  // namespace

LearningRateMonitor::LearningRateMonitor(LearningRateMonitorOptions options)
    : options_(std::move(options)) {
  options_table().check(options_, "LearningRateMonitor");
}

const OptionsTable<LearningRateMonitorOptions>& LearningRateMonitor::options_table() {
  using O = LearningRateMonitorOptions;
  static const OptionsTable<O> table(
      "learning_rate_monitor", "Logs the learning rates of all optimizers.",
      {option("logging_interval", &O::logging_interval)
           .doc("When to log; null: as often as the scheduler steps."),
       option("log_momentum", &O::log_momentum).doc("Log momentum, or the first beta, too."),
       option("log_weight_decay", &O::log_weight_decay).doc("Log the weight decay too."),
       option("log_key_prefix", &O::log_key_prefix).doc("Prefix of every logged name."),
       option("max_history", &O::max_history).at_least(1).doc("Values kept in memory per name.")});
  return table;
}

HookMask LearningRateMonitor::wanted(const HookMask& overridden) const {
  HookMask mask = overridden;
  if (options_.logging_interval == Interval::epoch) mask.set(Hook::on_train_batch_start, false);
  if (options_.logging_interval == Interval::step) mask.set(Hook::on_train_epoch_start, false);
  return mask;
}

// Schedulers first, then the optimizers that have none. The names are made again every time,
// because groups may have been added.
std::vector<LearningRateMonitor::Source> LearningRateMonitor::sources(
    const Trainer& trainer) const {
  std::vector<Source> found;
  std::map<std::string, int64_t, std::less<>> seen_types;
  const auto add = [&](const Optimizer& optimizer, const std::string& given,
                       std::optional<Interval> interval) {
    const std::string type = optimizer.type_name();
    if (given.empty()) ++seen_types[type];
    std::string label = given.empty() ? "lr-" + type : given;
    const auto count = seen_types.find(type);
    if (count != seen_types.end() && count->second > 1)
      label += fmt::format("-{}", count->second - 1);
    found.push_back(
        {&optimizer, group_names(optimizer, options_.log_key_prefix + label), interval});
  };
  for (const SchedulerConfig& config : trainer.schedulers()) {
    add(config.scheduler->optimizer(), config.name, config.interval);
  }
  for (const auto& optimizer : trainer.optimizers()) {
    const auto seen = [&](const Source& source) { return source.optimizer == optimizer.get(); };
    if (std::none_of(found.begin(), found.end(), seen)) add(*optimizer, "", std::nullopt);
  }
  return found;
}

std::vector<std::string> LearningRateMonitor::metric_names(const Trainer& trainer) const {
  std::vector<std::string> names;
  // Both change the names during the training.
  if (trainer.find_callback<BaseFinetuning>() != nullptr) return names;
  if (trainer.find_callback<StochasticWeightAveraging>() != nullptr) return names;
  for (const Source& source : sources(trainer)) {
    for (const std::string& name : source.names) {
      names.push_back(name);
      if (options_.log_momentum) names.push_back(name + "-momentum");
      if (options_.log_weight_decay) names.push_back(name + "-weight_decay");
    }
  }
  return names;
}

std::string LearningRateMonitor::state_key() const {
  if (!name().empty()) return name();
  const auto& interval = options_.logging_interval;
  if (!interval && options_.log_key_prefix.empty()) return type_name();
  return fmt::format("{}{{'logging_interval': {}, 'log_key_prefix': {}}}", type_name(),
                     !interval                      ? "None"
                     : *interval == Interval::epoch ? "'epoch'"
                                                    : "'step'",
                     python_repr(options_.log_key_prefix));
}

StateDict LearningRateMonitor::state_dict() const {
  return {{"logged_epoch", logged_epoch_}};
}

void LearningRateMonitor::load_state_dict(const StateDict& state) {
  logged_epoch_ = state.at("logged_epoch").to_int();
}

void LearningRateMonitor::setup(StageEvent& event) {
  if (event.run == RunKind::fit) logged_epoch_ = -1;
}

void LearningRateMonitor::on_train_start(Event& event) {
  const Trainer& trainer = event.trainer;
  if (trainer.loggers().empty()) {
    throw ConfigError({},
                      "LearningRateMonitor needs a logger, and the trainer has none; add one to "
                      "the trainer's loggers, or remove the callback");
  }
  const std::vector<Source> all = sources(trainer);
  lrs_.clear();
  momenta_.clear();
  weight_decays_.clear();
  for (const Source& source : all) {
    const std::string type = source.optimizer->type_name();
    if (options_.log_momentum && lacks(*source.optimizer, {"momentum", "beta1"})) {
      log_warning("LearningRateMonitor: {} has no momentum; 0 is logged for it", type);
    }
    if (options_.log_weight_decay && lacks(*source.optimizer, {"weight_decay"})) {
      log_warning("LearningRateMonitor: {} has no weight decay; 0 is logged for it", type);
    }
    for (const std::string& name : source.names) {
      value_of(lrs_, name);
      value_of(momenta_, name + "-momentum");
      value_of(weight_decays_, name + "-weight_decay");
    }
  }
}

void LearningRateMonitor::on_train_batch_start(TrainBatchStart& event) {
  if (event.trainer.is_logging_step()) log_values(event.trainer, Interval::step);
}

// A run that was stopped at the start of this epoch has logged it.
void LearningRateMonitor::on_train_epoch_start(Event& event) {
  const int64_t epoch = event.trainer.current_epoch();
  if (std::exchange(logged_epoch_, epoch) == epoch) return;
  log_values(event.trainer, Interval::epoch);
}

// An optimizer that got a second group: "lr-SGD" continues as "lr-SGD/pg1".
void LearningRateMonitor::adopt_names(const std::vector<Source>& all) {
  constexpr std::string_view kFirst = "/pg1";
  for (const Source& source : all) {
    for (const std::string& name : source.names) {
      const auto known = [&](const std::string& wanted) {
        return std::find_if(lrs_.begin(), lrs_.end(),
                            [&](const auto& entry) { return entry.first == wanted; });
      };
      if (known(name) != lrs_.end()) continue;
      const auto old =
          name.ends_with(kFirst) ? known(name.substr(0, name.size() - kFirst.size())) : lrs_.end();
      if (old != lrs_.end()) {
        old->first = name;
      } else {
        lrs_.emplace_back(name, std::vector<double>());
      }
    }
  }
}

void LearningRateMonitor::log_values(Trainer& trainer, Interval now) {
  const std::vector<Source> all = sources(trainer);
  adopt_names(all);
  Logger::Metrics metrics;
  for (const Source& source : all) {
    if (!options_.logging_interval && source.interval && *source.interval != now) continue;
    const auto& optimizers = trainer.optimizers();
    const auto place = std::find_if(optimizers.begin(), optimizers.end(), [&](const auto& each) {
      return each.get() == source.optimizer;
    });
    for (size_t i = 0; i < source.names.size(); ++i) {
      const ParamGroup& group = source.optimizer->groups()[i];
      const std::string& name = source.names[i];
      // With the factors of callbacks: what the next step uses.
      const double lr = place == optimizers.end()
                            ? option(group, "lr")
                            : trainer.learning_rate(place - optimizers.begin(), i);
      std::vector<double>& history = value_of(lrs_, name);
      if (static_cast<int64_t>(history.size()) >= options_.max_history) {
        // Half of it at once, so that a long run doesn't move all of it at every step.
        history.erase(history.begin(), history.begin() + (options_.max_history + 1) / 2);
      }
      history.push_back(lr);
      metrics.emplace_back(name, lr);
      if (options_.log_momentum) {
        metrics.emplace_back(name + "-momentum", momentum_of(group));
        value_of(momenta_, metrics.back().first) = metrics.back().second;
      }
      if (options_.log_weight_decay) {
        metrics.emplace_back(name + "-weight_decay", option(group, "weight_decay"));
        value_of(weight_decays_, metrics.back().first) = metrics.back().second;
      }
    }
  }
  if (metrics.empty()) return;
  for (const auto& [name, value] : metrics) trainer.set_callback_metric(name, value);
  const int64_t step = trainer.state().batches_that_stepped;
  Run::of(trainer).loggers.each(step, [&](Logger& logger) { logger.log_metrics(metrics, step); });
}

}  // namespace grapnel
