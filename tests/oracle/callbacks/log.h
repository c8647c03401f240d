// LogCallback: runs log directives in a callback's hooks.
#pragma once

#include <grapnel/callback.h>

#include "directives.h"

namespace grapnel::oracle {

class LogCallback final : public Callback {
 public:
  explicit LogCallback(const Json& directives) : directives_(directives) {}

#define GRAPNEL_HOOK(id, name, EventType, stage, module) void name(EventType& event) override;
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK

  HookMask wanted(const HookMask& overridden) const override;

 private:
  template <class EventType>
  void run(std::string_view hook, EventType& event);

  Directives directives_;
};

}  // namespace grapnel::oracle
