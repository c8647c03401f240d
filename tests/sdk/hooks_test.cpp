// Which hooks a class wants, and that they get the event that hooks.def says.
#include "catch.h"
#include "wrapped.h"

namespace hooks_test {

using namespace grapnel::test;
using grapnel::plugin::Callback;

namespace {

struct Nothing final : Callback {};

struct Two final : Callback {
  void on_fit_start(Event&) override {}
  void on_run_end(RunEnd&) override {}
};

struct Inheriting final : public Callback {
  struct Base : Callback {
    void on_test_start(Event&) override {}
  };
  struct Derived final : Base {
    void on_test_end(Event&) override {}
  };
};

struct Private final : Callback {
  int calls = 0;

 private:
  void on_fit_start(Event& event) override { event.log_info("private override"); }
};

struct Overloaded final : Callback {
  using Callback::on_fit_start;
  void on_fit_start(Event& event) override { event.log_info("overloaded override"); }
  void on_fit_start(int) {}
};

struct Optional final : Callback {
  static constexpr std::uint32_t optional_hooks[] = {GRAPNEL_HOOK_on_signal};
  void on_signal(SignalEvent&) override {}
  void on_fit_start(Event&) override {}
};

/// Every hook, each logging its own id as its event gives it.
struct All final : Callback {
#define GRAPNEL_HOOK(id, name, event, stage, module)  \
  void name(event& e) override {                      \
    e.log_info(#name " " + std::to_string(e.hook())); \
  }
#include <grapnel/hooks.def>
#undef GRAPNEL_HOOK
};

struct Reads final : Callback {
  void setup(StageEvent& event) override {
    if (event.run_kind() == grapnel::plugin::RunKind::test) event.log_info("setup for test");
  }
  void on_exception(ExceptionEvent& event) override {
    event.log_info(std::string(event.type()) + "|" + std::string(event.message()));
  }
  void on_checkpoint_written(CheckpointWritten& event) override { event.log_info(event.path()); }
  void on_signal(SignalEvent& event) override { event.log_info(std::to_string(event.signal())); }
  void on_run_end(RunEnd& event) override {
    if (event.outcome() == grapnel::plugin::Outcome::stopped) event.log_info(event.reason());
  }
  void on_before_zero_grad(OptimizerEvent& event) override {
    event.log_info(std::to_string(event.optimizer_idx()));
  }
};

}  // namespace

TEST_CASE("a plugin class subscribes only to the hooks that it overrides") {
  RecordingHost host;
  CHECK(RunningCallback(host, plugin_of<Nothing>(), "it").hooks().empty());
  CHECK(RunningCallback(host, plugin_of<Two>(), "it").hooks() ==
        std::vector<std::uint32_t>{GRAPNEL_HOOK_on_fit_start, GRAPNEL_HOOK_on_run_end});
}

TEST_CASE("a plugin class subscribes to hooks that a base class overrides") {
  RecordingHost host;
  CHECK(RunningCallback(host, plugin_of<Inheriting::Derived>(), "it").hooks() ==
        std::vector<std::uint32_t>{GRAPNEL_HOOK_on_test_start, GRAPNEL_HOOK_on_test_end});
}

TEST_CASE("a private override of a hook is called") {
  RecordingHost host;
  RunningCallback callback(host, plugin_of<Private>(), "it");
  REQUIRE(callback.hooks().size() == 1);
  CHECK(callback.fire<grapnel_Event>(GRAPNEL_HOOK_on_fit_start) == GRAPNEL_OK);
  CHECK(host.log == std::vector<std::string>{"info: private override"});
}

TEST_CASE("an overloaded override of a hook is called") {
  RecordingHost host;
  RunningCallback callback(host, plugin_of<Overloaded>(), "it");
  CHECK(callback.fire<grapnel_Event>(GRAPNEL_HOOK_on_fit_start) == GRAPNEL_OK);
  CHECK(host.log == std::vector<std::string>{"info: overloaded override"});
}

TEST_CASE("only hooks that a plugin class declares optional are marked optional") {
  RecordingHost host;
  RunningCallback callback(host, plugin_of<Optional>(), "it");
  CHECK(callback.is_optional(GRAPNEL_HOOK_on_signal));
  CHECK_FALSE(callback.is_optional(GRAPNEL_HOOK_on_fit_start));
}

TEST_CASE("each hook of hooks.def reaches the function of its name with its own event") {
  RecordingHost host;
  RunningCallback callback(host, plugin_of<All>(), "it");
  std::vector<std::string> expected;
#define GRAPNEL_HOOK(id, name, event, stage, module)       \
  CHECK(callback.fire<grapnel_##event>(id) == GRAPNEL_OK); \
  expected.push_back("info: " #name " " + std::to_string(id));
#include <grapnel/hooks.def>
#undef GRAPNEL_HOOK
  CHECK(host.log == expected);
  CHECK(callback.hooks().size() == GRAPNEL_HOOK_COUNT_KNOWN);
}

TEST_CASE("events give the fields of the ABI's structs") {
  RecordingHost host;
  RunningCallback callback(host, plugin_of<Reads>(), "it");
  grapnel_StageEvent stage{};
  stage.run = GRAPNEL_RUN_TEST;
  callback.fire(GRAPNEL_HOOK_setup, stage);
  grapnel_ExceptionEvent exception{};
  exception.type = to_abi("OutOfMemory");
  exception.message = to_abi("too big");
  callback.fire(GRAPNEL_HOOK_on_exception, exception);
  grapnel_CheckpointWritten written{};
  written.path = to_abi("/run/last.ckpt");
  callback.fire(GRAPNEL_HOOK_on_checkpoint_written, written);
  grapnel_SignalEvent signal{};
  signal.signal = 15;
  callback.fire(GRAPNEL_HOOK_on_signal, signal);
  grapnel_RunEnd end{};
  end.outcome = GRAPNEL_OUTCOME_STOPPED;
  end.reason = to_abi("enough");
  callback.fire(GRAPNEL_HOOK_on_run_end, end);
  grapnel_OptimizerEvent optimizer{};
  optimizer.optimizer_idx = 3;
  callback.fire(GRAPNEL_HOOK_on_before_zero_grad, optimizer);
  CHECK(host.log == std::vector<std::string>{"info: setup for test", "info: OutOfMemory|too big",
                                             "info: /run/last.ckpt", "info: 15", "info: enough",
                                             "info: 3"});
}

TEST_CASE("a field that is not in the host's event is refused, not read") {
  RecordingHost host;
  RunningCallback callback(host, plugin_of<Reads>(), "it");
  grapnel_Event event{sizeof(grapnel_Event), GRAPNEL_HOOK_on_exception};
  CHECK(callback.call(GRAPNEL_HOOK_on_exception, &event) == GRAPNEL_ERROR);
  CHECK(host.log.empty());
}

}  // namespace hooks_test
