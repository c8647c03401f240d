#include "grapnel/dispatcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "dispatch/profiler.h"
#include "grapnel/argument_error.h"
#include "grapnel/base/error.h"
#include "grapnel/base/log.h"

namespace grapnel {

// A callback, with what applies to all of its hooks.
struct Dispatcher::Participant {
  Callback* callback;
  std::string label;
  OnError on_error;
  std::optional<CallFilter> filter;
  bool disabled = false;
  // Calls that the filter `once` has let through.
  HookMask came = {};
  std::set<std::string, std::less<>> events_that_came = {};
};

// A callback in a hook or event that is called by name.
struct Dispatcher::EventReceiver {
  Receiver counted;
  int64_t offered = 0;  // calls, including those that a filter held back
};

namespace {

constexpr std::string_view kNothing;  // running() between hooks
constexpr uint32_t kTimedOneIn = 256;

// How a hook with module column 1 reaches the module; the others never do.
template <Hook H>
struct ModuleMember {
  template <class EventType>
  static void call(Module&, EventType&) {}
};
#define GRAPNEL_MODULE_HOOK_0(name, EventType)
#define GRAPNEL_MODULE_HOOK_1(name, EventType)                                 \
  template <>                                                                  \
  struct ModuleMember<Hook::name> {                                            \
    static void call(Module& module, EventType& event) { module.name(event); } \
  };
#define GRAPNEL_HOOK(id, name, EventType, stage, module) \
  GRAPNEL_MODULE_HOOK_##module(name, EventType)
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
#undef GRAPNEL_MODULE_HOOK_0
#undef GRAPNEL_MODULE_HOOK_1

// Hooks of a run's end reach every callback, even if one throws.
constexpr bool at_end(std::string_view stage) {
  return stage == "outcome";
}

bool is_at_end(Hook hook) {
  static constexpr std::array<bool, kHookCount> ends = {
#define GRAPNEL_HOOK(id, name, EventType, stage, module) at_end(#stage),
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
  };
  return ends[static_cast<size_t>(hook)];
}

template <Hook H>
struct Member;
#define GRAPNEL_HOOK(id, hook, EventType, stage, module)                      \
  template <>                                                                 \
  struct Member<Hook::hook> {                                                 \
    static constexpr void (Callback::*pointer)(EventType&) = &Callback::hook; \
    static constexpr std::string_view name = #hook;                           \
    static constexpr bool has_module = module;                                \
    static constexpr bool ends = at_end(#stage);                              \
  };
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK

// The text of the exception being handled.
std::string reason_of_current() {
  try {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception that is not derived from std::exception";
  }
}

void log_failure_at_end(const std::string& who, std::string_view hook) {
  log_error("{} failed in {}, which is called when a run ends: {}", who, hook, reason_of_current());
}

// Makes every call one that is looked at.
void look_at_every_call(Dispatcher::Receiver& receiver) {
  receiver.settled = receiver.calls();
  receiver.countdown = receiver.period = 1;
}

// Sets the running function for a scope; restores the callback too.
class Running {
 public:
  Running(const std::string_view*& running, Callback*& current, const std::string_view& name)
      : running_(running), current_(current), outer_(running), outer_callback_(current) {
    running = &name;
  }
  ~Running() {
    running_ = outer_;
    current_ = outer_callback_;
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  const std::string_view*& running_;
  Callback*& current_;
  const std::string_view* outer_;
  Callback* outer_callback_;
};

}  // namespace

Dispatcher::Dispatcher() : running_(&kNothing) {}
Dispatcher::~Dispatcher() = default;

void Dispatcher::assign(const std::vector<CallbackHandle>& callbacks) {
  const std::vector<Participant> before = std::move(participants_);
  participants_.clear();
  named_.clear();
  for (auto& receivers : receivers_) receivers.clear();
  std::vector<Receiver> monitors;
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
      participant.events_that_came = same->events_that_came;
    }
    const HookMask wanted = callback->wanted(handle.overridden);
    for (size_t i = 0; i < kHookCount && !participant.disabled; ++i) {
      const Hook hook = static_cast<Hook>(i);
      if (!wanted.test(hook) || !handle.overridden.test(hook)) continue;
      Receiver receiver{callback, index};
      receiver.look_always = handle.filter && concerns(*handle.filter, hook);
      const bool late = hook == Hook::on_train_epoch_end && callback->monitors();
      (late ? monitors : receivers_[i]).push_back(receiver);
    }
    participants_.push_back(std::move(participant));
  }
  auto& epoch_end = receivers_[static_cast<size_t>(Hook::on_train_epoch_end)];
  epoch_end_monitors_ = epoch_end.size();
  epoch_end.insert(epoch_end.end(), monitors.begin(), monitors.end());
}

void Dispatcher::set_module(Module* module, const ModuleMask& mask) {
  module_ = module;
  module_hooks_ = module == nullptr ? HookMask{} : mask.hooks;
}

bool Dispatcher::anyone(Hook hook) const {
  return !receivers(hook).empty() || module_hooks_.test(hook);
}

const std::string& Dispatcher::label(uint32_t index) const {
  return participants_[index].label;
}

std::string Dispatcher::author() const {
  if (current_ != nullptr) {
    return current_->name().empty() ? current_->type_name() : current_->name();
  }
  return running().empty() ? "user" : "module";
}

// ---- Failures

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

void Dispatcher::settle_failure(uint32_t index, std::string_view where, bool at_end) {
  Participant& failed = participants_[index];
  const bool disables = failed.on_error == OnError::disable;
  if (!disables && !at_end) throw;
  try {
    throw;
  } catch (const ArgumentError&) {
    throw;  // the mistake of the caller
  } catch (const Interrupted&) {
    if (!at_end) throw;  // a signal is not the callback's failure
    log_failure_at_end(failed.label, where);
  } catch (...) {
    if (disables) {
      disable(index, where);
    } else {
      log_failure_at_end(failed.label, where);
    }
  }
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

void Dispatcher::check_filters() const {
  for (const Participant& each : participants_) {
    if (each.filter) check_filter_end(*each.filter, position, each.label);
  }
}

bool Dispatcher::held_back(Participant& participant, Hook hook) {
  if (!participant.filter || !concerns(*participant.filter, hook)) return false;
  if (!admits(*participant.filter, hook, position)) return true;
  if (!position.fitting || !participant.filter->once) return false;
  const bool came = participant.came.test(hook);
  participant.came.set(hook);
  return came;
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

// ---- Calling

template <class F>
void Dispatcher::timed_call(Receiver& receiver, std::string_view name, F&& call) {
  struct Measure {
    Dispatcher& dispatcher;
    Receiver& receiver;
    std::string_view name;
    ProfilerSpan span{dispatcher.profiler_, dispatcher.label(receiver.index), name};
    double start = dispatcher.clock_->now();
    ~Measure() {
      receiver.seconds += dispatcher.clock_->now() - start;
      ++receiver.timed;
    }
  };
  const Measure measure{*this, receiver, name};
  call();
}

// At the end of a countdown: looks at this call and starts the next countdown.
template <Hook H, class EventType>
[[gnu::noinline]] void Dispatcher::look_and_call(Receiver& receiver, EventType& event) {
  receiver.settled += receiver.period - 1;
  receiver.period = receiver.look_always || profiler_ != nullptr ? 1 : kTimedOneIn;
  receiver.countdown = receiver.period;
  Participant& participant = participants_[receiver.index];
  if (participant.disabled || held_back(participant, H)) return;
  const auto call = [&] { (receiver.callback->*Member<H>::pointer)(event); };
  if (count(receiver)) {
    timed_call(receiver, Member<H>::name, call);
  } else {
    call();
  }
}

template <Hook H, class EventType>
[[gnu::always_inline]] inline void Dispatcher::fire(EventType& event, Receiver* begin,
                                                    Receiver* end) {
  if (begin == end) return;
  const Running running(running_, current_, Member<H>::name);
  for (Receiver* each = begin; each != end; ++each) {
    current_ = each->callback;
    try {
      if (--each->countdown == 0) [[unlikely]] {
        look_and_call<H>(*each, event);
      } else {
        (each->callback->*Member<H>::pointer)(event);
      }
    } catch (...) {
      settle_failure(each->index, Member<H>::name, Member<H>::ends);
    }
  }
}

template <Hook H, class EventType>
[[gnu::noinline]] void Dispatcher::fire_module(EventType& event) {
  const ModuleScope scope(*this, Member<H>::name);
  const ProfilerSpan span(profiler_, "module", Member<H>::name);
  if constexpr (Member<H>::ends) {
    try {
      ModuleMember<H>::call(*module_, event);
    } catch (...) {
      log_failure_at_end("the module", Member<H>::name);
    }
  } else {
    ModuleMember<H>::call(*module_, event);
  }
}

template <Hook H, class EventType>
[[gnu::always_inline]] inline void Dispatcher::fire_all(EventType& event) {
  auto& receivers = receivers_[static_cast<size_t>(H)];
  Receiver* const begin = receivers.data();
  Receiver* const end = begin + receivers.size();
  Receiver* const late = H == Hook::on_train_epoch_end ? begin + epoch_end_monitors_ : end;
  fire<H>(event, begin, late);
  if constexpr (Member<H>::has_module) {
    if (module_hooks_.test(H)) fire_module<H>(event);
  }
  if constexpr (H == Hook::on_train_epoch_end) fire<H>(event, late, end);
}

#define GRAPNEL_HOOK(id, hook, EventType, stage, module) \
  void Dispatcher::hook(EventType& event) {              \
    fire_all<Hook::hook>(event);                         \
  }
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK

void Dispatcher::call_named(uint32_t index, std::string_view name, std::optional<Hook> hook,
                            c10::function_ref<void()> call) {
  Participant& participant = participants_[index];
  if (participant.disabled) return;
  auto known = named_.find(name);
  if (known == named_.end()) {
    std::vector<EventReceiver> receivers;
    for (uint32_t i = 0; i < participants_.size(); ++i) {
      receivers.push_back(
          {Receiver{.callback = participants_[i].callback, .index = i, .look_always = true}});
    }
    known = named_.emplace(std::string(name), std::move(receivers)).first;
  }
  EventReceiver& receiver = known->second[index];
  if (hook ? held_back(participant, *hook) : held_back(participant, receiver, name)) return;
  const Running running(running_, current_, name);
  current_ = participant.callback;
  try {
    if (count(receiver.counted)) {
      timed_call(receiver.counted, name, call);
    } else {
      call();
    }
  } catch (...) {
    settle_failure(index, name, hook && is_at_end(*hook));
  }
}

void Dispatcher::call_module_named(std::string_view name, std::optional<Hook> hook,
                                   c10::function_ref<void()> call) {
  const ModuleScope scope(*this, name);
  const ProfilerSpan span(profiler_, "module", name);
  try {
    call();
  } catch (const ArgumentError&) {
    throw;
  } catch (...) {
    if (!hook || !is_at_end(*hook)) throw;
    log_failure_at_end("the module", name);
  }
}

bool Dispatcher::call_for_state(const Callback& callback, std::string_view name,
                                c10::function_ref<void()> call) {
  const std::optional<uint32_t> index = index_of(&callback);
  if (!index) return false;
  Participant& participant = participants_[*index];
  if (participant.disabled) return false;
  const Running running(running_, current_, name);
  current_ = participant.callback;
  const ProfilerSpan span(profiler_, participant.label, name);
  try {
    call();
  } catch (...) {
    settle_failure(*index, name, /*at_end=*/false);
  }
  return !participant.disabled;
}

}  // namespace grapnel
