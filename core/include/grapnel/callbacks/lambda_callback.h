// A callback made of functions, one per hook; for a few lines that deserve no class.
//
//   LambdaCallback({.on_train_epoch_end = [](Event& event) { ... }})
//
// A hook without a function costs nothing. It keeps no state.
#pragma once

#include <functional>

#include "grapnel/callback.h"
#include "grapnel/export.h"

namespace grapnel {

// The hooks, in the order of hooks.def.
struct LambdaHooks {
#define GRAPNEL_HOOK(id, name, EventType, stage, module) std::function<void(EventType&)> name = {};
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
};

class GRAPNEL_CORE_API LambdaCallback : public Callback {
 public:
  explicit LambdaCallback(LambdaHooks hooks);

#define GRAPNEL_HOOK(id, name, EventType, stage, module) void name(EventType& event) override;
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK

  HookMask wanted(const HookMask& overridden) const override;

 private:
  LambdaHooks hooks_;
};

}  // namespace grapnel
