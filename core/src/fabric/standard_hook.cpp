#include "fabric/standard_hook.h"

#include <array>
#include <utility>

#include "fabric/hook_events.h"
#include "run/run.h"

namespace grapnel {

namespace {

// Where the hooks.def stages stand in a run; nothing where a hook doesn't say.
constexpr std::optional<Stage> stage_of(std::string_view name) {
  if (name == "train" || name == "step" || name == "fit") return Stage::train;
  if (name == "sanity") return Stage::sanity_check;
  if (name == "validation") return Stage::validate;
  if (name == "test") return Stage::test;
  if (name == "predict") return Stage::predict;
  return {};
}

std::optional<Stage> stage_of(Hook hook) {
  static constexpr std::array<std::optional<Stage>, kHookCount> stages = {
#define GRAPNEL_HOOK(id, name, EventType, stage, module) stage_of(#stage),
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
  };
  return stages[static_cast<size_t>(hook)];
}

}  // namespace

std::optional<Hook> find_hook(std::string_view name) {
  for (size_t i = 0; i < kHookCount; ++i) {
    if (kHookNames[i] == name) return static_cast<Hook>(i);
  }
  return {};
}

void enter_hook(Run& run, Hook hook, const EventArguments& arguments) {
  RunState& state = run.state;
  if (const auto stage = stage_of(hook)) {
    // Steps of an optimizer and the like happen in whatever stage there is.
    const bool step = hook >= Hook::on_before_zero_grad && hook <= Hook::on_after_optimizer_step;
    if (!step) state.stage = *stage;
  }
  const std::string_view name = kHookNames[static_cast<size_t>(hook)];
  Progress& batches = batches_of(state);
  if (name.ends_with("_epoch_start")) batches.reset_on_run();
  const bool starts = name.ends_with("_batch_start");
  if (!starts && !name.ends_with("_batch_end")) return;
  if (const EventValue* given = arguments.find("batch_idx"); given != nullptr && given->as_int()) {
    batches.current.ready = *given->as_int() + 1;
    if (!starts) batches.current.completed = batches.current.ready - 1;
  } else if (starts || batches.current.ready == batches.current.completed) {
    batches.ready();
  }
}

void leave_hook(Run& run, Hook hook) {
  RunState& state = run.state;
  const std::string_view name = kHookNames[static_cast<size_t>(hook)];
  if (name.ends_with("_batch_end"))
    batches_of(state).current.completed = batches_of(state).current.ready;
  switch (hook) {
    case Hook::on_train_epoch_end:
      state.epoch.completed();
      break;
    case Hook::on_sanity_check_end:
    case Hook::on_validation_end:
    case Hook::on_test_end:
    case Hook::on_predict_end:
      state.stage = Stage::train;
      break;
    default:
      break;
  }
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
