// A standard hook called by its name with free arguments: its event is made of those that carry the
// names of the event's fields, once, the first time that a callback or module has the hook.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "grapnel/callback.h"
#include "grapnel/event_handlers.h"
#include "grapnel/module.h"

namespace grapnel {

class Run;

// The hook of this name, if it is one.
std::optional<Hook> find_hook(std::string_view name);

class StandardHook {
 public:
  // Everything must outlive it.
  StandardHook(Run& run, Hook hook, const EventArguments& arguments);
  ~StandardHook();
  // ArgumentError for arguments that the event can't be made of.
  void call(Callback& callback);
  void call(Module& module);

  class Caller;

 private:
  Caller& caller();

  Run& run_;
  Hook hook_;
  const EventArguments& arguments_;
  std::unique_ptr<Caller> caller_;
};

}  // namespace grapnel
