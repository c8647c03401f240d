#include "fabric/standard_hook.h"

#include <utility>

#include "fabric/hook_events.h"
#include "run/run.h"

namespace grapnel {

std::optional<Hook> find_hook(std::string_view name) {
  for (size_t i = 0; i < kHookCount; ++i) {
    if (kHookNames[i] == name) return static_cast<Hook>(i);
  }
  return {};
}

class StandardHook::Caller {
 public:
  virtual ~Caller() = default;
  virtual void call(Callback& callback) = 0;
  virtual void call(Module& module) = 0;
};

namespace {

template <class E>
class CallerOf : public StandardHook::Caller {
 public:
  CallerOf(Run& run, Hook hook, const EventArguments& arguments, void (Callback::*in_callback)(E&),
           void (Module::*in_module)(E&))
      : fields_(run, hook, arguments, MadeEvent<E>::parameters()),
        made_(fields_),
        in_callback_(in_callback),
        in_module_(in_module) {}

  void call(Callback& callback) override { (callback.*in_callback_)(made_.event); }
  void call(Module& module) override {
    if (in_module_ != nullptr) (module.*in_module_)(made_.event);
  }

 private:
  HookFields fields_;
  MadeEvent<E> made_;
  void (Callback::*in_callback_)(E&);
  void (Module::*in_module_)(E&);
};

}  // namespace

StandardHook::StandardHook(Run& run, Hook hook, const EventArguments& arguments)
    : run_(run), hook_(hook), arguments_(arguments) {}

StandardHook::~StandardHook() = default;

#define GRAPNEL_FABRIC_MODULE_0(name) nullptr
#define GRAPNEL_FABRIC_MODULE_1(name) &Module::name
StandardHook::Caller& StandardHook::caller() {
  if (caller_ != nullptr) return *caller_;
  switch (hook_) {
#define GRAPNEL_HOOK(id, name, EventType, stage, module)                                      \
  case Hook::name:                                                                            \
    caller_ = std::make_unique<CallerOf<EventType>>(run_, hook_, arguments_, &Callback::name, \
                                                    GRAPNEL_FABRIC_MODULE_##module(name));    \
    break;
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
  }
  return *caller_;
}
#undef GRAPNEL_FABRIC_MODULE_0
#undef GRAPNEL_FABRIC_MODULE_1

void StandardHook::call(Callback& callback) {
  caller().call(callback);
}
void StandardHook::call(Module& module) {
  caller().call(module);
}

}  // namespace grapnel
