// The life of an instance: made, initialized, called, destroyed once, whatever happens in between; and
// every hook with the event it promises.
#include <algorithm>
#include <stdexcept>

#include <grapnel/base/error.h>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"

namespace life_test {

using namespace grapnel;
using namespace grapnel::test;

namespace {

std::size_t size_of_event(std::uint32_t hook) {
  switch (hook) {
#define GRAPNEL_HOOK(id, name, event, stage, module) \
  case id:                                           \
    return sizeof(grapnel_##event);
#include "grapnel/hooks.def"
#undef GRAPNEL_HOOK
    default:
      return 0;
  }
}

}  // namespace

TEST_CASE("an instance gets every hook of a fit with its own id and a whole event") {
  InProcessPlugin plugin;
  std::vector<std::string> seen;
  for (std::uint32_t hook = 0; hook < kHookCount; ++hook) {
    plugin.hooks[hook] = [&seen, hook](const Caller&, const grapnel_Event* event) {
      CHECK(event->hook == hook);
      CHECK(event->struct_size == size_of_event(hook));
      seen.push_back(std::string(kHookNames[hook]));
      return GRAPNEL_OK;
    };
  }
  Toy toy;
  toy.options.num_sanity_val_steps = 1;
  toy.fit({plugin.handle()});
  const auto count = [&](const char* name) { return std::count(seen.begin(), seen.end(), name); };
  CHECK(seen.front() == "on_init_start");
  CHECK(seen.back() == "on_run_end");
  CHECK(count("on_train_batch_start") == 4);
  CHECK(count("on_before_backward") == 4);
  CHECK(count("on_after_optimizer_step") == 4);
  CHECK(count("on_validation_batch_end") == 1 + 2);
  CHECK(count("on_sanity_check_end") == 1);
  CHECK(count("on_exception") == 0);
}

TEST_CASE("a hook that the instance does not name is not called") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_train_start, [](const Caller&, const grapnel_Event*) { return GRAPNEL_OK; });
  Toy toy;
  const auto callback = plugin.make();
  toy.fit({as_plugin(callback)});
  HookMask wanted = callback->wanted(overridden_hooks<bridge::PluginCallback>());
  CHECK(wanted.test(Hook::on_train_start));
  CHECK(!wanted.test(Hook::on_train_end));
}

TEST_CASE("setup and teardown get the kind of run, and on_run_end the outcome") {
  InProcessPlugin plugin;
  std::vector<std::int32_t> facts;
  plugin.on(Hook::setup, [&](const Caller&, const grapnel_Event* event) {
    facts.push_back(reinterpret_cast<const grapnel_StageEvent*>(event)->run);
    return GRAPNEL_OK;
  });
  plugin.on(Hook::on_run_end, [&](const Caller&, const grapnel_Event* event) {
    facts.push_back(reinterpret_cast<const grapnel_RunEnd*>(event)->outcome);
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.validate({plugin.handle()});
  CHECK(facts == std::vector<std::int32_t>{GRAPNEL_RUN_VALIDATE, GRAPNEL_OUTCOME_FINISHED});
}

TEST_CASE("destroy comes once, after a run, after a failed init, and not after a failed create") {
  InProcessPlugin plugin;
  {
    Toy toy;
    toy.fit({plugin.handle()});
  }
  CHECK(plugin.created == 1);
  CHECK(plugin.destroyed == 1);

  InProcessPlugin refuses;
  refuses.init = [](const Caller& caller) {
    caller.fail("no, thank you");
    return GRAPNEL_ERROR;
  };
  CHECK_THROWS_WITH(refuses.make(), Catch::Equals("plugin 'probe' 1.2.3: callback 'probe' failed "
                                                  "in init: no, thank you"));
  CHECK(refuses.destroyed == 1);

  InProcessPlugin fails;
  fails.create = [](const Caller& caller) {
    caller.fail("out of paper");
    return GRAPNEL_ERROR;
  };
  CHECK_THROWS_AS(fails.make(), PluginError);
  CHECK(fails.created == 0);
  CHECK(fails.destroyed == 0);
}

TEST_CASE("a plugin that refuses to start is refused, and does not count as a failed run") {
  InProcessPlugin plugin;
  plugin.init = [](const Caller&) { return GRAPNEL_ERROR; };
  try {
    plugin.make();
    FAIL("it was made");
  } catch (const PluginError& error) {
    CHECK(error.hook.empty());
    CHECK(exit_code_of(error) == static_cast<int>(ExitCode::plugin_refused));
  }
}

TEST_CASE("a required unknown hook refuses the plugin, an optional one is a warning") {
  CapturedLog log;
  InProcessPlugin plugin;
  plugin.hooks[kHookCount + 3] = [](const Caller&, const grapnel_Event*) { return GRAPNEL_OK; };
  CHECK_THROWS_WITH(plugin.make(), Catch::Contains("it uses hook 46, but this host knows only 0 to "
                                                   "42; update grapnel"));
  CHECK(plugin.destroyed == 1);
  plugin.hook_flags = GRAPNEL_HOOK_OPTIONAL;
  Toy toy;
  toy.fit({plugin.handle()});
  CHECK(log.count("warning: [probe] it uses hook 46") == 1);
}

TEST_CASE("a failure in an instance's destroy is only logged") {
  CapturedLog log;
  InProcessPlugin plugin;
  plugin.destroy = [](const Caller& caller) {
    caller.fail("the door is stuck");
    return GRAPNEL_ERROR;
  };
  plugin.make();
  CHECK(log.count("warning: plugin 'probe' 1.2.3: callback 'probe' failed in destroy: the door is "
                  "stuck") == 1);
}

TEST_CASE("a callback has the plugin's id as its name, and says where it came from") {
  InProcessPlugin plugin;
  const CallbackHandle handle = plugin.handle();
  CHECK(handle.callback->type_name() == "probe");
  CHECK(handle.origin == CallbackOrigin::plugin);
}

}  // namespace life_test
