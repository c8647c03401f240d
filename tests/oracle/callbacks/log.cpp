#include "callbacks/log.h"

#include <grapnel/trainer.h>

namespace grapnel::oracle {

template <class EventType>
void LogCallback::run(std::string_view hook, EventType& event) {
  // While a trainer is being made there is nothing to log to.
  if constexpr (std::is_base_of_v<Event, EventType>) {
    std::int64_t batch_idx = 0;
    if constexpr (requires { event.batch_idx; }) batch_idx = event.batch_idx;
    directives_.run(hook, {event.trainer, batch_idx, {}},
                    [&](const std::string& name, const LogValue& value, const LogOptions& options) {
                      log(event, name, value, options);
                    });
  }
}

#define GRAPNEL_HOOK(id, name, EventType, stage, module) \
  void LogCallback::name(EventType& event) {             \
    run(#name, event);                                   \
  }
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK

HookMask LogCallback::wanted(const HookMask& overridden) const {
  HookMask mask = overridden;
  for (std::size_t i = 0; i < kHookCount; ++i) {
    if (!directives_.has(kHookNames[i])) mask.set(i, false);
  }
  return mask;
}

}  // namespace grapnel::oracle
