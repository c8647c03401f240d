// The rules that all calls share: the list of callbacks, failures, filters, counts.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <exception>

#include "dispatch/participant.h"
#include "grapnel/argument_error.h"
#include "grapnel/base/error.h"
#include "grapnel/base/log.h"
#include "values/exception_text.h"

namespace grapnel {

namespace {

// The text of the exception being handled.
std::string reason_of_current() {
  try {
    throw;
  } catch (const std::exception& error) {
    return exception_text(error);
  } catch (...) {
    return "an exception that is not derived from std::exception";
  }
}

// Makes every call one that is looked at.
void look_at_every_call(Dispatcher::Receiver& receiver) {
  receiver.settled = receiver.calls();
  receiver.countdown = receiver.period = 1;
}

}  // namespace

// ---- The list

void Dispatcher::assign(const std::vector<CallbackHandle>& callbacks) {
  const std::vector<Participant> before = std::move(participants_);
  participants_.clear();
  named_.clear();
  open_hook_.reset();  // of a run that failed
  for (auto& receivers : receivers_) receivers.clear();
  std::array<std::vector<Receiver>, kHookCount> monitors;
  for (uint32_t index = 0; index < callbacks.size(); ++index) {
    const CallbackHandle& handle = callbacks[index];
    Callback* callback = handle.callback.get();
    const std::string label = callback->name().empty() ? callback->type_name() : callback->name();
    std::string unique = label;
    const auto taken = [&](const Participant& other) { return other.label == unique; };
    for (int n = 2; std::any_of(participants_.begin(), participants_.end(), taken); ++n) {
      unique = fmt::format("{} #{}", label, n);
    }
    Participant participant{callback, std::move(unique), handle.on_error, handle.filter};
    const auto same = std::find_if(before.begin(), before.end(),
                                   [&](const auto& each) { return each.callback == callback; });
    if (same != before.end()) {
      participant.disabled = same->disabled;
      participant.came = same->came;
      participant.every = same->every;
      participant.events_that_came = same->events_that_came;
    }
    const HookMask wanted = callback->wanted(handle.overridden);
    for (size_t i = 0; i < kHookCount && !participant.disabled; ++i) {
      const Hook hook = static_cast<Hook>(i);
      if (!wanted.test(hook) || !handle.overridden.test(hook)) continue;
      Receiver receiver{callback, index};
      receiver.look_always = handle.filter && concerns(*handle.filter, hook);
      // At the end of an epoch they need the module's metrics; at the end of a fit they have the last
      // word on the weights.
      const bool late =
          (hook == Hook::on_train_epoch_end || hook == Hook::on_fit_end) && callback->monitors();
      (late ? monitors : receivers_)[i].push_back(receiver);
    }
    participants_.push_back(std::move(participant));
  }
  epoch_end_monitors_ = receivers_[static_cast<size_t>(Hook::on_train_epoch_end)].size();
  for (size_t i = 0; i < kHookCount; ++i) {
    receivers_[i].insert(receivers_[i].end(), monitors[i].begin(), monitors[i].end());
  }
}

const std::string& Dispatcher::label(uint32_t index) const {
  return participants_[index].label;
}

// ---- Failures

void log_failure_at_end(const std::string& who, std::string_view hook) {
  log_error("{} failed in {}, which is called when a run ends: {}", who, hook, reason_of_current());
}

std::optional<uint32_t> Dispatcher::index_of(const Callback* callback) const {
  for (uint32_t i = 0; i < participants_.size(); ++i) {
    if (participants_[i].callback == callback) return i;
  }
  return {};
}

bool Dispatcher::disabled(const Callback* callback) const {
  const auto index = index_of(callback);
  return index && participants_[*index].disabled;
}

namespace {

// The failure that a callback's call let through last, and whose it is: where it then passes through
// another callback's call, which made that one (ModelCheckpoint's, of on_checkpoint_written), it is
// not that callback's.
struct PassedOn {
  std::exception_ptr failure;
  std::string who;
  std::string where;
};
thread_local PassedOn passed_on;

}  // namespace

void Dispatcher::settle_failure(uint32_t index, std::string_view where, bool at_end) {
  Participant& failed = participants_[index];
  const std::exception_ptr failure = std::current_exception();
  const bool is_own = failure != passed_on.failure;
  const bool disables = failed.on_error == OnError::disable && is_own;
  if (!disables && !at_end) {
    if (is_own) passed_on = {failure, failed.label, std::string(where)};
    throw;
  }
  try {
    throw;
  } catch (const Interrupted&) {
    if (!at_end) throw;  // a signal is not the callback's failure
    log_failure_at_end(failed.label, where);
  } catch (...) {
    if (disables) {
      disable(index, where);
    } else if (is_own) {
      log_failure_at_end(failed.label, where);
    } else {
      log_error("{} failed in {}, when a run ended: {}", passed_on.who, passed_on.where,
                reason_of_current());
    }
  }
  passed_on = {};
}

void Dispatcher::disable(uint32_t index, std::string_view where) {
  Participant& failed = participants_[index];
  if (failed.disabled) return;
  failed.disabled = true;
  // Its entries stay: a loop over them may be running.
  for (auto& receivers : receivers_) {
    for (Receiver& receiver : receivers) {
      if (receiver.index != index) continue;
      look_at_every_call(receiver);
      receiver.look_always = true;
    }
  }
  log_error("{} failed in {} and is disabled; the run continues without it: {}", failed.label,
            where, reason_of_current());
  try {
    failed.callback->on_disabled();
  } catch (...) {
    log_error("{} failed while it was being disabled: {}", failed.label, reason_of_current());
  }
}

// ---- Hooks that are not finished

namespace {

bool contains(const StateList& labels, const std::string& label) {
  return std::any_of(labels.begin(), labels.end(),
                     [&](const StateValue& each) { return each.to_string() == label; });
}

}  // namespace

StateDict Dispatcher::called_in(Hook hook) const {
  StateList callbacks;
  bool module = false;
  const bool resumed = unfinished_hook_ == hook;
  if (resumed) {
    callbacks.assign(had_.begin(), had_.end());
    module = module_had_;
  }
  if (open_hook_ == hook && open_at_ != nullptr) {
    const auto& receivers = receivers_[static_cast<size_t>(hook)];
    const size_t before_module =
        hook == Hook::on_train_epoch_end ? epoch_end_monitors_ : receivers.size();
    const bool at_module = open_at_ == &module_call_;
    const size_t at = at_module ? before_module : static_cast<size_t>(open_at_ - receivers.data());
    const size_t end = at + (at_module || open_failed_ ? 0 : 1);
    for (size_t i = 0; i < end; ++i) {
      if (!resumed || !has_had(receivers[i])) callbacks.emplace_back(label(receivers[i].index));
    }
    module = module || (at_module ? !open_failed_ : at >= before_module);
  }
  StateList left;
  for (const Receiver& receiver : receivers_[static_cast<size_t>(hook)]) {
    if (!contains(callbacks, label(receiver.index))) left.emplace_back(label(receiver.index));
  }
  return {{"callbacks", std::move(callbacks)}, {"left", std::move(left)}, {"module", module}};
}

// A callback that the run of the checkpoint did not have has no call left.
void Dispatcher::resume_hook(Hook hook, const StateDict& called) {
  std::vector<std::string> had;
  const StateList& left = called.at("left").to_list();
  for (const Participant& participant : participants_) {
    if (!contains(left, participant.label)) had.push_back(participant.label);
  }
  module_had_ = called.at("module").to_bool();
  had_ = std::move(had);
  unfinished_hook_ = hook;
}

bool Dispatcher::hook_has_rest(Hook hook) const {
  const StateDict called = called_in(hook);
  return (module_hooks_.test(hook) && !called.at("module").to_bool()) ||
         !called.at("left").to_list().empty();
}

void Dispatcher::forget_unfinished_hook() {
  open_hook_.reset();
  unfinished_hook_.reset();
}

bool Dispatcher::has_had(const Receiver& receiver) const {
  return std::find(had_.begin(), had_.end(), label(receiver.index)) != had_.end();
}

// ---- Filters

StateDict Dispatcher::called_once() const {
  StateDict all;
  for (const Participant& each : participants_) {
    if (!each.filter || !each.filter->once) continue;
    StateList names;
    for (size_t hook = 0; hook < kHookCount; ++hook) {
      if (each.came.test(hook)) names.emplace_back(std::string(kHookNames[hook]));
    }
    for (const std::string& event : each.events_that_came) names.emplace_back(event);
    all[each.label] = std::move(names);
  }
  return all;
}

void Dispatcher::set_called_once(const StateDict& labels) {
  for (Participant& each : participants_) {
    const StateValue* names = each.filter ? labels.find(each.label) : nullptr;
    if (names == nullptr) continue;
    for (const StateValue& name : names->to_list()) {
      const auto known = std::find(kHookNames.begin(), kHookNames.end(), name.to_string());
      if (known != kHookNames.end()) {
        each.came.set(static_cast<size_t>(known - kHookNames.begin()));
      } else {
        each.events_that_came.insert(name.to_string());
      }
    }
  }
}

StateDict Dispatcher::filter_times() const {
  StateDict all;
  for (const Participant& each : participants_) {
    if (!each.filter || !each.filter->every || !each.every.last()) continue;
    if (each.filter->every->unit == CallSpan::Unit::steps) all[each.label] = *each.every.last();
  }
  return all;
}

void Dispatcher::set_filter_times(const StateDict* labels) {
  for (Participant& each : participants_) {
    const StateValue* last = labels == nullptr ? nullptr : labels->find(each.label);
    each.every = last == nullptr ? EveryN() : EveryN(last->to_int());
  }
}

void Dispatcher::check_filters() const {
  for (const Participant& each : participants_) {
    if (each.filter) check_filter_end(*each.filter, position, each.label);
  }
}

bool Dispatcher::held_back(Participant& participant, Hook hook) {
  if (!participant.filter || !concerns(*participant.filter, hook)) return false;
  if (!comes_at_step(participant, hook)) return true;
  CallFilter others = *participant.filter;
  if (others.every && others.every->unit == CallSpan::Unit::steps) others.every.reset();
  if (!admits(others, hook, position)) return true;
  if (!position.fitting || !participant.filter->once) return false;
  const bool came = participant.came.test(hook);
  participant.came.set(hook);
  return came;
}

// `every` in steps: n of them have passed since the last time. All calls at one step are one time, and
// steps count also where other conditions hold the calls back.
bool Dispatcher::comes_at_step(Participant& participant, Hook hook) {
  const std::optional<CallSpan>& span = participant.filter->every;
  if (!span || span->unit != CallSpan::Unit::steps) return true;
  if (!position.fitting || !is_within_training_batch(hook)) return true;
  EveryN& every = participant.every;
  if (every.last() == position.step) return true;
  if (!every.passed(position.step, span->count)) return false;
  every.note(position.step);
  return true;
}

bool Dispatcher::held_back(Participant& participant, EventReceiver& receiver,
                           std::string_view event) {
  if (!participant.filter) return false;
  CallPosition here = position;
  here.step = ++receiver.offered;
  here.steps.reset();
  if (!admits_event(*participant.filter, here)) return true;
  return participant.filter->once &&
         !participant.events_that_came.insert(std::string(event)).second;
}

// ---- Counts and time

void Dispatcher::set_profiler(Profiler* profiler) {
  profiler_ = profiler;
  for (auto& receivers : receivers_) {
    for (Receiver& receiver : receivers) look_at_every_call(receiver);
  }
}

void Dispatcher::reset_counts() {
  const auto reset = [](Receiver& receiver) {
    receiver.countdown = receiver.period = 1;
    receiver.settled = receiver.timed = 0;
    receiver.seconds = 0;
  };
  for (auto& receivers : receivers_) {
    for (Receiver& receiver : receivers) reset(receiver);
  }
  for (auto& [name, receivers] : named_) {
    for (EventReceiver& receiver : receivers) reset(receiver.counted);
  }
}

bool Dispatcher::count(Receiver& receiver) {
  const bool timed =
      profiler_ != nullptr || !receiver.look_always || receiver.calls() % kTimedOneIn == 0;
  ++receiver.settled;
  return timed;
}

std::vector<ProfileRow> Dispatcher::counts() const {
  std::vector<ProfileRow> rows;
  const auto add = [&](const Receiver& receiver, std::string_view name) {
    if (receiver.calls() == 0) return;
    const double seconds = receiver.estimated_seconds();
    rows.push_back({label(receiver.index), std::string(name), receiver.calls(), seconds, seconds});
  };
  for (size_t hook = 0; hook < kHookCount; ++hook) {
    for (const Receiver& receiver : receivers_[hook]) add(receiver, kHookNames[hook]);
  }
  for (const auto& [name, receivers] : named_) {
    for (const EventReceiver& receiver : receivers) add(receiver.counted, name);
  }
  return rows;
}

}  // namespace grapnel
