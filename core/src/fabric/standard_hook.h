// A standard hook called by name: its event is made of the arguments named like its fields, once,
// when the first callback or module is called.
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
  // All arguments must outlive it.
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
