#include "grapnel/callbacks/lambda_callback.h"

#include "../support/scripted.h"
#include "catch.h"
#include "grapnel/dispatcher.h"

namespace lambda_callback_test {

using namespace grapnel;
using namespace grapnel::test;

TEST_CASE("LambdaCallback calls each function in its hook, and a hook without one costs no call") {
  std::vector<std::string> calls;
  const auto note = [&calls](const char* name) {
    return [&calls, name](auto&) { calls.emplace_back(name); };
  };
  LambdaHooks hooks{
      .setup = note("setup"), .on_train_batch_end = note("batch"), .on_run_end = note("run_end")};
  auto lambda = std::make_shared<LambdaCallback>(std::move(hooks));
  ToyModule module;
  Trainer trainer(quiet(1), {lambda});
  trainer.fit(module, toy_data(2, 1));
  CHECK(calls == std::vector<std::string>{"setup", "batch", "batch", "run_end"});

  const auto& dispatcher = trainer.dispatcher();
  CHECK(dispatcher.receivers(Hook::on_train_batch_end).size() == 1);
  CHECK(dispatcher.receivers(Hook::on_train_batch_start).empty());
}

TEST_CASE("LambdaCallback and classes get on_init_start and on_init_end when a trainer is made") {
  class Made final : public Callback {
   public:
    void on_init_start(InitEvent& event) override { start = &event.trainer; }
    void on_init_end(InitEvent& event) override { end = &event.trainer; }
    const Trainer* start = nullptr;
    const Trainer* end = nullptr;
  };
  std::vector<std::string> calls;
  auto made = std::make_shared<Made>();
  LambdaHooks hooks{.on_init_start = [&](InitEvent&) { calls.emplace_back("start"); },
                    .on_init_end = [&](InitEvent&) { calls.emplace_back("end"); }};
  const Trainer trainer(quiet(1), {std::make_shared<LambdaCallback>(std::move(hooks)), made});
  CHECK(calls == std::vector<std::string>{"start", "end"});
  CHECK(made->start == &trainer);
  CHECK(made->end == &trainer);
}

TEST_CASE("LambdaCallback has a function for every hook of hooks.def") {
  // Wanting all of them means that each is set and found by name.
  LambdaHooks hooks;
#define GRAPNEL_HOOK(id, name, EventType, stage, module) hooks.name = [](EventType&) {};
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
  const LambdaCallback all(std::move(hooks));
  const HookMask mask = all.wanted(overridden_hooks<LambdaCallback>());
  const HookMask none = LambdaCallback({}).wanted(overridden_hooks<LambdaCallback>());
  for (size_t hook = 0; hook < kHookCount; ++hook) {
    INFO(kHookNames[hook]);
    CHECK(mask.test(hook));
    CHECK_FALSE(none.test(hook));
  }
}

}  // namespace lambda_callback_test
