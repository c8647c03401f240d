// The recording callback of core's tests: it notes the name of every hook that is called in a shared list.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "grapnel/trainer.h"

namespace grapnel::test {

using Trace = std::vector<std::string>;

// Notes "who.hook" for every hook. script, if set, is then called.
class Recorder : public Callback {
 public:
  explicit Recorder(Trace& trace, std::string who = "cb") : trace_(trace), who_(std::move(who)) {}

  std::function<void(const std::string& hook, Trainer& trainer)> script;

#define GRAPNEL_HOOK(id, name, EventType, stage, module) \
  void name(EventType& event) override {                 \
    note(#name, event.trainer);                          \
  }
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK

 private:
  void note(const std::string& hook, Trainer& trainer) {
    trace_.push_back(who_ + "." + hook);
    if (script) script(hook, trainer);
  }

  Trace& trace_;
  std::string who_;
};

}  // namespace grapnel::test
