#include "grapnel/dispatcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "dispatch/profiler.h"
#include "grapnel/base/error.h"
#include "grapnel/base/log.h"

namespace grapnel {

// What a filter has let through.
struct FilteredCalls {
  CallFilter filter;
  HookMask came;
};

namespace {

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

// Hooks of the outcome stage are told to everybody, whatever one of them throws.
enum class StageTag {
  init,
  run,
  fit,
  sanity,
  train,
  validation,
  test,
  predict,
  step,
  checkpoint,
  outcome
};

void log_failure(const std::string& who, std::string_view hook) {
  try {
    throw;
  } catch (const std::exception& error) {
    log_error("{} failed in {}, which comes when a run ends: {}", who, hook, error.what());
  } catch (...) {
    log_error("{} failed in {}, which comes when a run ends", who, hook);
  }
}

template <Hook H>
struct Member;
#define GRAPNEL_HOOK(id, hook, EventType, stage, module)                      \
  template <>                                                                 \
  struct Member<Hook::hook> {                                                 \
    static constexpr void (Callback::*pointer)(EventType&) = &Callback::hook; \
    static constexpr std::string_view name = #hook;                           \
    static constexpr bool has_module = module;                                \
    static constexpr bool guarded = StageTag::stage == StageTag::outcome;     \
  };
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK

// Takes the place of a callback that was disabled.
Callback& nobody() {
  class Nobody final : public Callback {};
  static Nobody instance;
  return instance;
}

}  // namespace

Dispatcher::Dispatcher() = default;
Dispatcher::~Dispatcher() = default;

void Dispatcher::assign(const std::vector<CallbackHandle>& callbacks) {
  std::vector<const Callback*> stay_disabled;
  std::map<const Callback*, HookMask> came;
  for (size_t i = 0; i < order_.size(); ++i) {
    if (disabled_[i]) stay_disabled.push_back(order_[i]);
    if (filtered_[i] != nullptr) came[order_[i]] = filtered_[i]->came;
  }
  filtered_.clear();
  for (auto& receivers : receivers_) receivers.clear();
  order_.clear();
  labels_.clear();
  on_error_.clear();
  disabled_.assign(callbacks.size(), false);
  std::vector<Receiver> monitors;
  for (uint32_t index = 0; index < callbacks.size(); ++index) {
    const CallbackHandle& handle = callbacks[index];
    Callback* callback = handle.callback.get();
    order_.push_back(callback);
    on_error_.push_back(handle.on_error);
    filtered_.push_back(handle.filter ? std::make_unique<FilteredCalls>(
                                            FilteredCalls{*handle.filter, came[callback]})
                                      : nullptr);
    const std::string label = callback->name().empty() ? callback->type_name() : callback->name();
    std::string unique = label;
    for (int n = 2; std::find(labels_.begin(), labels_.end(), unique) != labels_.end(); ++n) {
      unique = fmt::format("{} #{}", label, n);
    }
    labels_.push_back(std::move(unique));
    if (std::find(stay_disabled.begin(), stay_disabled.end(), callback) != stay_disabled.end()) {
      disabled_[index] = true;
      continue;
    }
    const HookMask wanted = callback->wanted(handle.overridden);
    for (size_t hook = 0; hook < kHookCount; ++hook) {
      if (!wanted.test(hook) || !handle.overridden.test(hook)) continue;
      Receiver receiver{callback, index};
      if (handle.filter && concerns(*handle.filter, static_cast<Hook>(hook))) {
        receiver.filtered = filtered_.back().get();
      }
      if (static_cast<Hook>(hook) == Hook::on_train_epoch_end && callback->monitors()) {
        monitors.push_back(receiver);
      } else {
        receivers_[hook].push_back(receiver);
      }
    }
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

std::string Dispatcher::author() const {
  if (current_ != nullptr) {
    return current_->name().empty() ? current_->type_name() : current_->name();
  }
  return running_.empty() ? "user" : "module";
}

bool Dispatcher::disabled(const Callback* callback) const {
  const auto found = std::find(order_.begin(), order_.end(), callback);
  return found != order_.end() && disabled_[static_cast<size_t>(found - order_.begin())];
}

void Dispatcher::disable(const Callback* callback, std::string_view where) {
  const auto found = std::find(order_.begin(), order_.end(), callback);
  if (found != order_.end()) disable(static_cast<uint32_t>(found - order_.begin()), where);
}

// While its exception is being handled.
void Dispatcher::disable(uint32_t index, std::string_view where) {
  if (disabled_[index]) return;
  disabled_[index] = true;
  // Its entries stay: a loop over them may be running.
  for (auto& receivers : receivers_) {
    for (Receiver& receiver : receivers) {
      if (receiver.index == index) receiver.callback = &nobody();
    }
  }
  std::string reason = "an exception that is not derived from std::exception";
  try {
    throw;
  } catch (const std::exception& error) {
    reason = error.what();
  } catch (...) {
  }
  log_error("{} failed in {} and is disabled, the run goes on without it: {}", labels_[index],
            where, reason);
}

// Within a catch: what is to be thrown on is.
void Dispatcher::settle_failure(const Receiver& receiver, std::string_view hook) {
  if (on_error_[receiver.index] == OnError::fail) throw;
  try {
    throw;
  } catch (const Interrupted&) {
    throw;  // a signal is nobody's failure
  } catch (...) {
    disable(receiver.index, hook);
  }
}

void Dispatcher::set_profiler(Profiler* profiler) {
  profiler_ = profiler;
  sample_mask_ = profiler == nullptr ? 255 : 0;
}

void Dispatcher::reset_counts() {
  for (auto& receivers : receivers_) {
    for (Receiver& receiver : receivers) {
      receiver.calls = 0;
      receiver.timed = 0;
      receiver.seconds = 0;
    }
  }
}

template <Hook H, class EventType>
void Dispatcher::call(Receiver& receiver, EventType& event) {
  try {
    (receiver.callback->*Member<H>::pointer)(event);
  } catch (...) {
    if constexpr (Member<H>::guarded) {
      log_failure(author(), Member<H>::name);
    } else {
      settle_failure(receiver, Member<H>::name);
    }
  }
}

template <Hook H, class EventType>
void Dispatcher::call_timed(Receiver& receiver, EventType& event) {
  struct Measure {
    Dispatcher& dispatcher;
    Receiver& receiver;
    ProfilerSpan span{dispatcher.profiler_, dispatcher.labels_[receiver.index], Member<H>::name};
    double start = dispatcher.clock_->now();
    ~Measure() {
      receiver.seconds += dispatcher.clock_->now() - start;
      ++receiver.timed;
    }
  };
  const Measure measure{*this, receiver};
  call<H>(receiver, event);
}

StateDict Dispatcher::called_once() const {
  StateDict all;
  for (size_t i = 0; i < filtered_.size(); ++i) {
    if (filtered_[i] == nullptr || !filtered_[i]->filter.once) continue;
    StateList names;
    for (size_t hook = 0; hook < kHookCount; ++hook) {
      if (filtered_[i]->came.test(hook)) names.emplace_back(std::string(kHookNames[hook]));
    }
    all[labels_[i]] = std::move(names);
  }
  return all;
}

void Dispatcher::set_called_once(const StateDict& labels) {
  for (size_t i = 0; i < filtered_.size(); ++i) {
    const StateValue* names = filtered_[i] == nullptr ? nullptr : labels.find(labels_[i]);
    if (names == nullptr) continue;
    for (const StateValue& name : names->to_list()) {
      const auto known = std::find(kHookNames.begin(), kHookNames.end(), name.to_string());
      if (known != kHookNames.end()) {
        filtered_[i]->came.set(static_cast<size_t>(known - kHookNames.begin()));
      }
    }
  }
}

void Dispatcher::check_filters() const {
  for (size_t i = 0; i < filtered_.size(); ++i) {
    if (filtered_[i] != nullptr) check_filter_end(filtered_[i]->filter, position, labels_[i]);
  }
}

namespace {

// Notes the call when it may come.
bool may_come(FilteredCalls& calls, Hook hook, const CallPosition& position) {
  if (!admits(calls.filter, hook, position)) return false;
  if (!position.fitting || !calls.filter.once) return true;
  const bool first = !calls.came.test(hook);
  calls.came.set(hook);
  return first;
}

}  // namespace

template <Hook H, class EventType>
void Dispatcher::fire(EventType& event, size_t begin, size_t end) {
  auto& receivers = receivers_[static_cast<size_t>(H)];
  if (begin >= end) return;
  CallbackScope scope(*this, Member<H>::name, nullptr);
  for (size_t i = begin; i < end && i < receivers.size(); ++i) {
    Receiver& receiver = receivers[i];
    if (receiver.filtered != nullptr && !may_come(*receiver.filtered, H, position)) [[unlikely]] {
      continue;
    }
    current_ = receiver.callback;
    if ((receiver.calls++ & sample_mask_) == 0) [[unlikely]] {
      call_timed<H>(receiver, event);
    } else {
      call<H>(receiver, event);
    }
  }
}

#define GRAPNEL_HOOK(id, hook, EventType, stage, module)                             \
  void Dispatcher::hook(EventType& event) {                                          \
    constexpr Hook H = Hook::hook;                                                   \
    const size_t all = receivers_[static_cast<size_t>(H)].size();                    \
    const size_t before = H == Hook::on_train_epoch_end ? epoch_end_monitors_ : all; \
    fire<H>(event, 0, before);                                                       \
    if constexpr (Member<H>::has_module) {                                           \
      if (module_hooks_.test(H)) {                                                   \
        ModuleScope scope(*this, Member<H>::name);                                   \
        const ProfilerSpan span(profiler_, "module", Member<H>::name);               \
        if constexpr (Member<H>::guarded) {                                          \
          try {                                                                      \
            ModuleMember<H>::call(*module_, event);                                  \
          } catch (...) {                                                            \
            log_failure("the module", Member<H>::name);                              \
          }                                                                          \
        } else {                                                                     \
          ModuleMember<H>::call(*module_, event);                                    \
        }                                                                            \
      }                                                                              \
    }                                                                                \
    if (before < all) fire<H>(event, before, all);                                   \
  }
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK

}  // namespace grapnel
