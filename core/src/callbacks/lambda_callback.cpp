#include "grapnel/callbacks/lambda_callback.h"

#include <utility>

namespace grapnel {

LambdaCallback::LambdaCallback(LambdaHooks hooks) : hooks_(std::move(hooks)) {}

#define GRAPNEL_HOOK(id, name, EventType, stage, module) \
  void LambdaCallback::name(EventType& event) {          \
    if (hooks_.name) hooks_.name(event);                 \
  }
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK

HookMask LambdaCallback::wanted(const HookMask& overridden) const {
  HookMask mask;
#define GRAPNEL_HOOK(id, name, EventType, stage, module) \
  mask.set(Hook::name, overridden.test(Hook::name) && hooks_.name != nullptr);
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
  return mask;
}

}  // namespace grapnel
