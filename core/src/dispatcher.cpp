#include "grapnel/dispatcher.h"

#include "grapnel/base/log.h"

namespace grapnel {

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

}  // namespace

void Dispatcher::assign(const std::vector<CallbackHandle>& callbacks) {
  for (auto& receivers : receivers_) receivers.clear();
  order_.clear();
  std::vector<Receiver> monitors;
  for (uint32_t index = 0; index < callbacks.size(); ++index) {
    const CallbackHandle& handle = callbacks[index];
    Callback* callback = handle.callback.get();
    order_.push_back(callback);
    const HookMask wanted = callback->wanted(handle.overridden);
    for (size_t hook = 0; hook < kHookCount; ++hook) {
      if (!wanted.test(hook) || !handle.overridden.test(hook)) continue;
      if (static_cast<Hook>(hook) == Hook::on_train_epoch_end && callback->monitors()) {
        monitors.push_back({callback, index});
      } else {
        receivers_[hook].push_back({callback, index});
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

template <Hook H, class EventType>
void Dispatcher::fire(EventType& event, size_t begin, size_t end) {
  auto& receivers = receivers_[static_cast<size_t>(H)];
  if (begin >= end) return;
  CallbackScope scope(*this, Member<H>::name, nullptr);
  for (size_t i = begin; i < end && i < receivers.size(); ++i) {
    Receiver& receiver = receivers[i];
    current_ = receiver.callback;
    ++receiver.calls;
    if constexpr (Member<H>::guarded) {
      try {
        (receiver.callback->*Member<H>::pointer)(event);
      } catch (...) {
        log_failure(author(), Member<H>::name);
      }
    } else {
      (receiver.callback->*Member<H>::pointer)(event);
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
