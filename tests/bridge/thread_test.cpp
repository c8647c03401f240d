// Extension thread: functions posted from a plugin's thread run on the training's.
#include <grapnel/ext/thread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "captured_log.h"
#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"

namespace thread_test {

using namespace grapnel;
using namespace grapnel::test;
using Catch::Matchers::Contains;

namespace {

const grapnel_thread& thread_of(const Caller& caller) {
  return caller.table<grapnel_thread>(GRAPNEL_EXT_THREAD);
}

struct Ran {
  std::vector<std::string> what;  // "run 1", "drop 2"
  std::thread::id thread;
  std::function<std::int32_t(const Caller&)> body;
};

struct Posted {
  Ran* ran;
  int number;
};

std::int32_t GRAPNEL_CALL run(grapnel_instance* instance, void* data) {
  const auto* posted = static_cast<const Posted*>(data);
  posted->ran->what.push_back("run " + std::to_string(posted->number));
  posted->ran->thread = std::this_thread::get_id();
  return posted->ran->body ? posted->ran->body(InProcessPlugin::caller_of(instance)) : GRAPNEL_OK;
}

std::int32_t GRAPNEL_CALL drop(grapnel_instance*, void* data) {
  const auto* posted = static_cast<const Posted*>(data);
  posted->ran->what.push_back("drop " + std::to_string(posted->number));
  return GRAPNEL_OK;
}

void ask(InProcessPlugin& plugin) {
  plugin.init = [](const Caller& caller) {
    thread_of(caller);
    return GRAPNEL_OK;
  };
}

}  // namespace

TEST_CASE("posted functions run in their order on the training thread, with all services") {
  Ran ran;
  Posted one{&ran, 1}, two{&ran, 2};
  ran.body = [](const Caller& caller) {
    const auto& metrics = caller.table<grapnel_metrics>(GRAPNEL_EXT_METRICS);
    CHECK(caller.trainer_state().stage == GRAPNEL_STAGE_TRAIN);
    return metrics.log_f64(caller.host, text(std::string_view("from_a_thread")), 3, nullptr);
  };
  InProcessPlugin plugin;
  ask(plugin);
  plugin.on(Hook::on_train_batch_start, [&](const Caller& caller, const grapnel_Event* event) {
    if (reinterpret_cast<const grapnel_TrainBatchStart*>(event)->batch_idx != 1) return GRAPNEL_OK;
    std::thread([&] {
      CHECK(thread_of(caller).post(caller.host, run, drop, &one) == GRAPNEL_OK);
      CHECK(thread_of(caller).post(caller.host, run, nullptr, &two) == GRAPNEL_OK);
    }).join();
    CHECK(ran.what.empty());
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.fit({plugin.handle()});  // it has no hook at the batch's end
  CHECK(ran.what == std::vector<std::string>{"run 1", "run 2"});
  CHECK(ran.thread == std::this_thread::get_id());
  CHECK(toy.trainer->callback_metrics().find("from_a_thread") != nullptr);
}

TEST_CASE("what was posted and didn't run is dropped before destroy, and later posts are refused") {
  Ran ran;
  Posted one{&ran, 1}, two{&ran, 2}, three{&ran, 3};
  const grapnel_host* host = nullptr;
  const grapnel_thread* table = nullptr;
  {
    InProcessPlugin plugin;
    plugin.create = [&](const Caller& caller) {
      CHECK(thread_of(caller).post(caller.host, run, drop, &one) == GRAPNEL_NOT_NOW);
      return GRAPNEL_OK;
    };
    plugin.init = [&](const Caller& caller) {
      host = caller.host;
      table = &thread_of(caller);
      CHECK(table->post(host, nullptr, drop, &one) == GRAPNEL_INVALID_ARGUMENT);
      CHECK(table->post(host, run, drop, &one) == GRAPNEL_OK);
      CHECK(table->post(host, run, nullptr, &two) == GRAPNEL_OK);
      return GRAPNEL_OK;
    };
    plugin.destroy = [&](const Caller& caller) {
      ran.what.emplace_back("destroy");
      CHECK(table->post(caller.host, run, drop, &three) == GRAPNEL_NOT_NOW);
      return GRAPNEL_OK;
    };
    plugin.make();
    CHECK(ran.what == std::vector<std::string>{"drop 1", "destroy"});
    std::thread([&] { CHECK(table->post(host, run, drop, &three) == GRAPNEL_NOT_NOW); }).join();
  }
  CHECK(ran.what.size() == 2);
}

TEST_CASE("a posted function that fails fails the run, and the others are dropped") {
  Ran ran;
  Posted one{&ran, 1}, two{&ran, 2};
  ran.body = [](const Caller& caller) {
    caller.fail("no answer from the server");
    return GRAPNEL_ERROR;
  };
  InProcessPlugin plugin;
  plugin.init = [&](const Caller& caller) {
    CHECK(thread_of(caller).post(caller.host, run, drop, &one) == GRAPNEL_OK);
    return thread_of(caller).post(caller.host, run, drop, &two);
  };
  plugin.on(Hook::on_run_end, [](const Caller&, const grapnel_Event*) { return GRAPNEL_OK; });
  {
    Toy toy;
    ran.body = [&](const Caller& caller) {
      ran.body = nullptr;
      caller.fail("no answer from the server");
      return GRAPNEL_ERROR;
    };
    CHECK_THROWS_WITH(toy.fit({plugin.handle()}),
                      Contains("a posted function") && Contains("no answer from the server"));
  }
  CHECK(ran.what == std::vector<std::string>{"run 1", "run 2"});  // in on_run_end
}

TEST_CASE("posted functions that fail keep no plugin from being told of the run's end") {
  Ran ran;
  Posted one{&ran, 1}, two{&ran, 2}, three{&ran, 3};
  ran.body = [](const Caller& caller) {
    caller.fail("no answer from the server");
    return GRAPNEL_ERROR;
  };
  InProcessPlugin plugin;
  plugin.init = [&](const Caller& caller) {
    for (Posted* each : {&one, &two, &three}) {
      CHECK(thread_of(caller).post(caller.host, run, drop, each) == GRAPNEL_OK);
    }
    return GRAPNEL_OK;
  };
  std::vector<std::string> told;
  for (const auto& [hook, name] :
       {std::pair(Hook::on_exception, "exception"), std::pair(Hook::on_run_end, "run end")}) {
    plugin.on(hook, [&told, name = std::string(name)](const Caller&, const grapnel_Event*) {
      told.push_back(name);
      return GRAPNEL_OK;
    });
  }
  Toy toy;
  CHECK_THROWS_WITH(toy.fit({plugin.handle()}), Contains("no answer from the server"));
  CHECK(told == std::vector<std::string>{"exception", "run end"});
}

TEST_CASE("a posted function's failure is told although the hook after it fails too") {
  Ran ran;
  Posted one{&ran, 1};
  ran.body = [](const Caller& caller) {
    caller.fail("no answer from the server");
    return GRAPNEL_ERROR;
  };
  InProcessPlugin plugin;
  ask(plugin);
  plugin.on(Hook::on_fit_end, [&](const Caller& caller, const grapnel_Event*) {
    return thread_of(caller).post(caller.host, run, drop, &one);
  });
  plugin.on(Hook::on_run_end, [](const Caller& caller, const grapnel_Event*) {
    caller.fail("the report can't be written");
    return GRAPNEL_ERROR;
  });
  const CapturedLog log;
  Toy toy;
  try {
    toy.fit({plugin.handle()});
  } catch (const std::exception&) {  // of on_run_end
  }
  CHECK(ran.what.front() == "run 1");
  CHECK_THAT(log.text(), Contains("no answer from the server"));
}

TEST_CASE("the time of posted functions is told with that of the hooks") {
  Ran ran;
  Posted one{&ran, 1};
  ran.body = [](const Caller&) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return GRAPNEL_OK;
  };
  InProcessPlugin plugin;
  ask(plugin);
  plugin.on(Hook::on_train_batch_start, [&](const Caller& caller, const grapnel_Event*) {
    return thread_of(caller).post(caller.host, run, nullptr, &one);
  });
  const auto callback = plugin.make();
  Toy toy;
  toy.fit({CallbackHandle(callback, CallbackOrigin::plugin)});
  const auto times = callback->hook_times();
  const auto found =
      std::ranges::find(times, "a posted function", &bridge::PluginCallback::HookTime::hook);
  REQUIRE(found != times.end());
  CHECK(found->calls == ran.what.size());
  CHECK(found->seconds >= 0.005);
}

TEST_CASE("what a posted function posts waits for the next hook") {
  Ran ran;
  Posted one{&ran, 1}, two{&ran, 2};
  std::vector<std::size_t> at_hooks;
  ran.body = [&](const Caller& caller) {
    if (ran.what.size() > 1) return GRAPNEL_OK;
    return thread_of(caller).post(caller.host, run, drop, &two);
  };
  InProcessPlugin plugin;
  plugin.init = [&](const Caller& caller) {
    return thread_of(caller).post(caller.host, run, drop, &one);
  };
  plugin.on(Hook::on_train_batch_start, [&](const Caller&, const grapnel_Event*) {
    at_hooks.push_back(ran.what.size());
    return GRAPNEL_OK;
  });
  Toy toy;
  toy.fit({plugin.handle()});
  CHECK(at_hooks == std::vector<std::size_t>{1, 2, 2, 2});
}

TEST_CASE("posting has a limit, and many threads may post while the training runs") {
  Ran ran;
  std::atomic<int> count = 0;
  InProcessPlugin plugin;
  std::vector<std::thread> threads;
  struct Counted {
    static std::int32_t GRAPNEL_CALL add(grapnel_instance*, void* data) {
      ++*static_cast<std::atomic<int>*>(data);
      return GRAPNEL_OK;
    }
  };
  std::atomic<int> posted = 0;
  plugin.init = [&](const Caller& caller) {
    const grapnel_thread* table = &thread_of(caller);
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, table, host = caller.host] {
        for (int i = 0; i < 500; ++i) {
          if (table->post(host, &Counted::add, &Counted::add, &count) == GRAPNEL_OK) ++posted;
        }
      });
    }
    return GRAPNEL_OK;
  };
  plugin.destroy = [&](const Caller&) {
    for (std::thread& thread : threads) thread.join();
    return GRAPNEL_OK;
  };
  {
    Toy toy;
    toy.fit({plugin.handle()});
  }
  CHECK(count == posted);

  InProcessPlugin full;
  full.init = [&](const Caller& caller) {
    for (int i = 0; i < GRAPNEL_THREAD_MAX_POSTED; ++i) {
      if (thread_of(caller).post(caller.host, &Counted::add, nullptr, &count) != GRAPNEL_OK) {
        return GRAPNEL_ERROR;
      }
    }
    CHECK(thread_of(caller).post(caller.host, &Counted::add, nullptr, &count) == GRAPNEL_NOT_NOW);
    return GRAPNEL_OK;
  };
  full.make();
}

}  // namespace thread_test
