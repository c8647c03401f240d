#include "run/resumed_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "grapnel/base/log.h"
#include "grapnel/base/text.h"

namespace grapnel {

namespace {

StateDict chosen_options(const Optimizer& optimizer) {
  StateList groups;
  for (const ParamGroup& group : optimizer.groups()) {
    StateDict options;
    for (const auto& [name, value] : group.options) options[name] = value;
    groups.emplace_back(std::move(options));
  }
  return {{"type", optimizer.type_name()}, {"groups", std::move(groups)}};
}

bool same_type(const StateDict& saved, const std::string& type) {
  const StateValue* found = saved.find("type");
  return found != nullptr && found->is_string() && found->to_string() == type;
}

// Both rates follow from each other; schedulers keep the one that was chosen as "initial_lr".
std::string shown_name(const std::string& option) {
  return option == "initial_lr" ? "lr" : option;
}

// "the checkpoint's lr=0.001 is used, not 0.1 (SGD)".
void tell_difference(const std::string& who, const std::string& option, const std::string& used,
                     const std::string& chosen) {
  log_warning(
      "{}: the checkpoint's {}={} is used, not {}: a resumed fit continues with the options that "
      "its training had. A callback can set others in on_fit_start",
      who, option, used, chosen);
}

void compare_options(const std::string& who, const StateDict& saved, const StateDict& chosen,
                     const std::set<std::string>& left_out, std::set<std::string>& told) {
  const bool scheduled = saved.contains("initial_lr") && chosen.contains("initial_lr");
  for (const auto& [name, value] : chosen) {
    const StateValue* before = saved.find(name);
    if (before == nullptr || left_out.contains(name) || (scheduled && name == "lr")) continue;
    if (before->to_double() == value.to_double()) continue;
    const std::string used = fmt::format("{}", before->to_double());
    const std::string wanted = fmt::format("{}", value.to_double());
    if (told.insert(name + "=" + used + "/" + wanted).second) {
      tell_difference(who, shown_name(name), used, wanted);
    }
  }
}

std::string text_of(const StateValue& value) {
  if (value.is_bool()) return value.to_bool() ? "true" : "false";
  if (value.is_string()) return quote(value.to_string());
  return fmt::format("{}", value.to_double());
}

// The settings that a scheduler's state has in it, such as T_i; its rates follow from the groups'.
void compare_settings(const StateDict& saved, const StateDict& chosen) {
  const StateValue* type = chosen.find("type");
  if (type == nullptr || !type->is_string() || !same_type(saved, type->to_string())) return;
  for (const auto& [name, value] : chosen) {
    const StateValue* before = saved.find(name);
    const bool is_setting =
        value.is_bool() || value.is_string() || value.is_int() || value.is_double();
    if (before == nullptr || !is_setting || before->variant().index() != value.variant().index()) {
      continue;
    }
    if (text_of(*before) == text_of(value)) continue;
    tell_difference(type->to_string(), name, text_of(*before), text_of(value));
  }
}

std::string type_of(const StateValue& scheduler) {
  const StateValue* type = scheduler.to_dict().find("type");
  return type == nullptr || !type->is_string() ? "a scheduler" : type->to_string();
}

void compare_schedulers(const StateList& saved, const StateList& chosen) {
  for (size_t i = 0; i < std::min(saved.size(), chosen.size()); ++i) {
    compare_settings(saved[i].to_dict(), chosen[i].to_dict());
  }
  for (size_t i = chosen.size(); i < saved.size(); ++i) {
    log_warning(
        "the checkpoint has the state of {}, which configure_optimizers no longer returns: its "
        "schedule ends here, and the learning rates stay what they were",
        type_of(saved[i]));
  }
  for (size_t i = saved.size(); i < chosen.size(); ++i) {
    log_warning("{} is not in the checkpoint: it begins its schedule in this resumed fit",
                type_of(chosen[i]));
  }
}

}  // namespace

std::vector<ResumedOptions::Groups> ResumedOptions::options_of(const Optimizers& optimizers) {
  std::vector<Groups> all;
  for (const auto& optimizer : optimizers) {
    Groups& groups = all.emplace_back();
    for (const ParamGroup& group : optimizer->groups()) groups.push_back(group.options);
  }
  return all;
}

void ResumedOptions::note_configured(const Optimizers& optimizers, const Schedulers& schedulers) {
  StateList chosen;
  for (const auto& optimizer : optimizers) chosen.emplace_back(chosen_options(*optimizer));
  StateList settings;
  for (const SchedulerConfig& config : schedulers) {
    settings.emplace_back(snapshot(config.scheduler->state_dict()));
  }
  configured_ = {{"optimizers", std::move(chosen)}, {"schedulers", std::move(settings)}};
  before_.clear();
  changes_.clear();
}

void ResumedOptions::begin(const Optimizers& optimizers, const Schedulers& schedulers,
                           const StateList& saved, const StateDict* configured) {
  // What schedulers may write, where it is not known what was configured.
  std::set<std::string> scheduled;
  if (configured == nullptr && !schedulers.empty()) {
    scheduled = {"lr",           "initial_lr", "max_lr", "min_lr", "momentum", "base_momentum",
                 "max_momentum", "beta1",      "swa_lr"};
  }
  const StateList own = configured_.at("optimizers").to_list();
  for (size_t i = 0; i < optimizers.size() && i < saved.size(); ++i) {
    Optimizer& optimizer = *optimizers[i];
    const StateDict& state = saved[i].to_dict();
    if (!same_type(state, optimizer.type_name())) continue;
    const StateList& groups = state.at("groups").to_list();
    const StateList* chosen_before = nullptr;
    if (configured != nullptr) {
      const StateList& all = configured->at("optimizers").to_list();
      if (i < all.size()) chosen_before = &all[i].to_dict().at("groups").to_list();
    }
    const std::string who = optimizers.size() == 1
                                ? optimizer.type_name()
                                : fmt::format("{} (optimizer {})", optimizer.type_name(), i);
    std::set<std::string> told;
    for (size_t g = 0; g < optimizer.groups().size() && g < groups.size(); ++g) {
      const StateDict& options = groups[g].to_dict().at("options").to_dict();
      const bool known = chosen_before != nullptr && g < chosen_before->size();
      compare_options(who, known ? (*chosen_before)[g].to_dict() : options,
                      own[i].to_dict().at("groups").to_list()[g].to_dict(), scheduled, told);
      for (const auto& [name, value] : options) {
        optimizer.groups()[g].options[name] = value.to_double();
      }
    }
  }
  if (configured != nullptr) {
    compare_schedulers(configured->at("schedulers").to_list(),
                       configured_.at("schedulers").to_list());
    keep_configured(*configured);
  }
  before_ = options_of(optimizers);
}

// What counts is what the training began with, and of new schedulers what they begin with now.
void ResumedOptions::keep_configured(const StateDict& earlier) {
  configured_["optimizers"] = snapshot(earlier).at("optimizers");
  StateList& settings = configured_.at("schedulers").to_list();
  const StateList before = snapshot(earlier).at("schedulers").to_list();
  std::copy_n(before.begin(), std::min(before.size(), settings.size()), settings.begin());
}

void ResumedOptions::note_changes(const Optimizers& optimizers) {
  changes_.clear();
  const std::vector<Groups> now = options_of(optimizers);
  for (size_t i = 0; i < now.size() && i < before_.size(); ++i) {
    Groups& groups = changes_.emplace_back();
    for (size_t g = 0; g < now[i].size() && g < before_[i].size(); ++g) {
      Options& changed = groups.emplace_back();
      for (const auto& [name, value] : now[i][g]) {
        const auto before = before_[i][g].find(name);
        if (before == before_[i][g].end() || before->second != value) changed[name] = value;
      }
    }
  }
}

void ResumedOptions::finish(const Optimizers& optimizers) {
  for (size_t i = 0; i < changes_.size() && i < optimizers.size(); ++i) {
    std::vector<ParamGroup>& groups = optimizers[i]->groups();
    for (size_t g = 0; g < changes_[i].size() && g < groups.size(); ++g) {
      for (const auto& [name, value] : changes_[i][g]) groups[g].options[name] = value;
    }
  }
  before_.clear();
  changes_.clear();
}

}  // namespace grapnel
