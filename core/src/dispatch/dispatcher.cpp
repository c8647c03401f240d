#include "grapnel/dispatcher.h"

#include <array>
#include <utility>

#include "dispatch/participant.h"
#include "dispatch/profiler.h"
#include "grapnel/argument_error.h"
#include "grapnel/hook_number.h"

namespace grapnel {

namespace {

constexpr std::string_view kNothing;  // running() between hooks

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

// The hooks that a resumed run may begin with: those of FitPhase (run/fit_point.h).
constexpr bool is_resumable(Hook hook) {
  return hook == Hook::on_train_epoch_start || hook == Hook::on_after_optimizer_step ||
         hook == Hook::on_train_batch_end || hook == Hook::on_validation_end ||
         hook == Hook::on_train_epoch_end;
}

// Of this thread, see hook_number().
struct HookNumbers {
  uint64_t last = 0;     // that was given
  uint64_t running = 0;  // 0: no hook
};
#if defined(__ELF__)
[[gnu::tls_model("initial-exec")]]  // read without a call
#endif
constinit thread_local HookNumbers hook_numbers;

// Sets the running function and a new hook number for a scope; restores the callback too.
class Running {
 public:
  Running(const std::string_view*& running, Callback*& current, const std::string_view& name)
      : running_(running),
        current_(current),
        outer_(running),
        outer_callback_(current),
        outer_number_(hook_numbers.running) {
    running = &name;
    hook_numbers.running = ++hook_numbers.last;
  }
  ~Running() {
    running_ = outer_;
    current_ = outer_callback_;
    hook_numbers.running = outer_number_;
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  const std::string_view*& running_;
  Callback*& current_;
  const std::string_view* outer_;
  Callback* outer_callback_;
  uint64_t outer_number_;
};

}  // namespace

uint64_t hook_number() noexcept {
  return hook_numbers.running;
}

Dispatcher::Dispatcher() : running_(&kNothing) {}
Dispatcher::~Dispatcher() = default;

void Dispatcher::set_module(Module* module, const ModuleMask& mask) {
  module_ = module;
  module_hooks_ = module == nullptr ? HookMask{} : mask.hooks;
}

std::string Dispatcher::author() const {
  if (current_ != nullptr) {
    return current_->name().empty() ? current_->type_name() : current_->name();
  }
  return running().empty() ? "user" : "module";
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
    if constexpr (is_resumable(H)) open_at_ = each;
    try {
      if (--each->countdown == 0) [[unlikely]] {
        look_and_call<H>(*each, event);
      } else {
        (each->callback->*Member<H>::pointer)(event);
      }
    } catch (...) {
      const bool failed_before = std::exchange(open_failed_, true);
      settle_failure(each->index, Member<H>::name, Member<H>::ends);
      open_failed_ = failed_before;
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
    if constexpr (is_resumable(H)) open_at_ = &module_call_;
    try {
      ModuleMember<H>::call(*module_, event);
    } catch (...) {
      open_failed_ = true;
      throw;
    }
  }
}

// What is left of a hook that was not finished before a resume.
template <Hook H, class EventType>
[[gnu::noinline]] void Dispatcher::fire_rest(EventType& event) {
  auto& receivers = receivers_[static_cast<size_t>(H)];
  const size_t before_module =
      H == Hook::on_train_epoch_end ? epoch_end_monitors_ : receivers.size();
  for (size_t i = 0; i <= receivers.size(); ++i) {
    if constexpr (Member<H>::has_module) {
      if (i == before_module && module_hooks_.test(H) && !module_had_) fire_module<H>(event);
    }
    if (i < receivers.size() && !has_had(receivers[i])) {
      fire<H>(event, &receivers[i], &receivers[i] + 1);
    }
  }
  unfinished_hook_.reset();
}

template <Hook H, class EventType>
[[gnu::always_inline]] inline void Dispatcher::fire_all(EventType& event) {
  if constexpr (is_resumable(H)) {
    open_hook_ = H;
    open_at_ = nullptr;
    open_failed_ = false;
    if (unfinished_hook_ == H) [[unlikely]] {
      fire_rest<H>(event);
      open_hook_.reset();
      return;
    }
  }
  auto& receivers = receivers_[static_cast<size_t>(H)];
  Receiver* const begin = receivers.data();
  Receiver* const end = begin + receivers.size();
  Receiver* const late = H == Hook::on_train_epoch_end ? begin + epoch_end_monitors_ : end;
  fire<H>(event, begin, late);
  if constexpr (Member<H>::has_module) {
    if (module_hooks_.test(H)) fire_module<H>(event);
  }
  if constexpr (H == Hook::on_train_epoch_end) fire<H>(event, late, end);
  if constexpr (is_resumable(H)) open_hook_.reset();
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
  } catch (const ArgumentError&) {
    throw;  // the mistake of the caller
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
