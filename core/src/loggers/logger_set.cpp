#include "loggers/logger_set.h"

#include <fmt/format.h>

#include <exception>
#include <string>
#include <system_error>
#include <typeinfo>
#include <utility>

#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "grapnel/loggers/csv_logger.h"
#include "grapnel/loggers/json_lines_logger.h"
#include "grapnel/loggers/memory_logger.h"
#include "grapnel/loggers/tensorboard_logger.h"
#include "values/exception_text.h"
#include "values/type_name.h"

namespace grapnel {

namespace {

bool is_own(const Logger& logger) {
  return dynamic_cast<const CSVLogger*>(&logger) != nullptr ||
         dynamic_cast<const JsonLinesLogger*>(&logger) != nullptr ||
         dynamic_cast<const MemoryLogger*>(&logger) != nullptr ||
         dynamic_cast<const TensorBoardLogger*>(&logger) != nullptr;
}

std::string type_of(const Logger& logger) {
  return unqualified_name(typeid(logger));
}

void load_back(const std::vector<std::pair<Logger*, StateDict>>& states) noexcept {
  for (auto each = states.rbegin(); each != states.rend(); ++each) {
    try {
      each->first->load_state_dict(each->second);
    } catch (const std::exception& error) {
      log_error("a logger keeps the state of the checkpoint that is refused: {}",
                exception_text(error));
    } catch (...) {
      log_error("a logger keeps the state of the checkpoint that is refused");
    }
  }
}

}  // namespace

LoggerSet::LoggerSet(const std::vector<std::shared_ptr<Logger>>& loggers) {
  for (const auto& logger : loggers) members_.push_back({.logger = logger});
}

template <class F>
void LoggerSet::attempt(Member& member, std::optional<int64_t> step, F&& call) {
  try {
    call(*member.logger);
    if (member.hyper_parameters.has_value()) {
      member.logger->log_hyperparams(*member.hyper_parameters);
      member.hyper_parameters.reset();
    }
  } catch (const IoError& error) {
    return note_failure(member, step, error.what());
  } catch (const std::system_error& error) {
    return note_failure(member, step, error.what());
  }
  member.error.clear();
  member.failing_since.reset();
}

void LoggerSet::note_failure(Member& member, std::optional<int64_t> step, const char* error) {
  if (!std::exchange(member.told, true)) {
    log_warning("a logger failed: {}; the run continues without it, and tries again", error);
  }
  member.error = error;
  if (!member.failing_since.has_value()) member.failing_since = step;
}

void LoggerSet::start() {
  release();
  for (Member& member : members_) {
    member.error.clear();
    member.hyper_parameters.reset();
    member.failing_since.reset();
    member.told = member.state_told = false;
    member.logger->start();
  }
}

void LoggerSet::log_hyperparams(const StateDict& hyper_parameters) {
  for (Member& member : members_) {
    member.hyper_parameters = hyper_parameters;
    attempt(member, {}, [](Logger&) {});
  }
}

void LoggerSet::log_metrics(const Logger::Metrics& metrics, int64_t step) {
  keep_held();
  for (Member& member : members_) {
    attempt(member, step, [&](Logger& logger) {
      logger.log_metrics(metrics, step);
      logger.save();
    });
  }
}

void LoggerSet::save() {
  for (Member& member : members_) {
    attempt(member, {}, [](Logger& logger) { logger.save(); });
  }
}

void LoggerSet::each(std::optional<int64_t> step, const std::function<void(Logger&)>& call) {
  if (step.has_value()) keep_held();
  for (Member& member : members_) attempt(member, step, call);
}

void LoggerSet::finalize(const std::string& status) {
  std::exception_ptr first;
  for (Member& member : members_) {
    try {
      attempt(member, {}, [&](Logger& logger) { logger.finalize(status); });
    } catch (...) {
      if (first == nullptr) first = std::current_exception();
    }
    if (member.error.empty()) continue;
    const std::string since = member.failing_since.has_value()
                                  ? fmt::format(" since step {}", *member.failing_since)
                                  : "";
    log_error("the logs are incomplete, what was logged{} is missing: {}", since, member.error);
  }
  if (first != nullptr) std::rethrow_exception(first);
}

void LoggerSet::hold() {
  holds_ = true;
  held_.reset();
}

void LoggerSet::release() {
  holds_ = false;
  held_.reset();
}

void LoggerSet::keep_held() {
  if (holds_ && !held_.has_value()) held_ = present_states();
}

StateList LoggerSet::states() {
  return held_.has_value() ? *held_ : present_states();
}

StateList LoggerSet::present_states() {
  StateList states;
  for (Member& member : members_) {
    try {
      member.last_state = member.logger->state_dict();
    } catch (const std::exception& error) {
      if (!std::exchange(member.state_told, true)) {
        log_warning(
            "the position of the logger '{}' can't be saved: {}; the checkpoint has its last known "
            "one",
            member.logger->name(), exception_text(error));
      }
    }
    states.emplace_back(member.last_state);
  }
  return states;
}

StateList LoggerSet::identities() const {
  StateList all;
  for (const Member& member : members_) {
    all.emplace_back(StateDict{{"type", type_of(*member.logger)}, {"name", member.logger->name()}});
  }
  return all;
}

std::vector<const StateDict*> LoggerSet::assigned(const StateList& states,
                                                  const StateList* identities) const {
  std::vector<const StateDict*> own(members_.size());
  if (identities == nullptr || identities->size() != states.size()) {
    for (size_t i = 0; i < members_.size() && i < states.size(); ++i) own[i] = &states[i].to_dict();
    return own;
  }
  std::vector<bool> taken(states.size());
  for (const bool by_name : {true, false}) {
    for (size_t i = 0; i < members_.size(); ++i) {
      const Logger& logger = *members_[i].logger;
      for (size_t saved = 0; saved < states.size() && own[i] == nullptr; ++saved) {
        const StateDict& identity = (*identities)[saved].to_dict();
        if (taken[saved] || identity.at("type").to_string() != type_of(logger)) continue;
        if (by_name && identity.at("name").to_string() != logger.name()) continue;
        taken[saved] = true;
        own[i] = &states[saved].to_dict();
      }
    }
  }
  for (size_t saved = 0; saved < states.size(); ++saved) {
    if (taken[saved] || states[saved].to_dict().empty()) continue;
    log_warning(
        "the training that is resumed logged with a {}, which this run doesn't; what it "
        "wrote stays as it is",
        (*identities)[saved].to_dict().at("type").to_string());
  }
  return own;
}

void LoggerSet::load_states(const StateList& states, const StateList* identities) {
  const std::vector<const StateDict*> assigned_states = assigned(states, identities);
  std::vector<std::pair<Logger*, StateDict>> before;
  for (const bool own : {false, true}) {
    for (size_t i = 0; i < members_.size(); ++i) {
      Logger& logger = *members_[i].logger;
      const StateDict* const state = assigned_states[i];
      if (state == nullptr || state->empty() || is_own(logger) != own) continue;
      try {
        StateDict present = own ? StateDict() : snapshot(logger.state_dict());
        logger.load_state_dict(*state);
        if (!own) before.emplace_back(&logger, std::move(present));
      } catch (...) {
        load_back(before);
        throw;
      }
    }
  }
  for (size_t i = 0; i < members_.size(); ++i) {
    const StateDict* const state = assigned_states[i];
    if (state != nullptr && !state->empty()) members_[i].last_state = *state;
  }
}

}  // namespace grapnel
