// Nothing that a plugin throws leaves it, and the host learns what it was; what the host itself
// threw comes back to the host as it was.
#include <new>
#include <stdexcept>

#include "catch.h"
#include "wrapped.h"

namespace failures_test {

using namespace grapnel::test;
using grapnel::plugin::Callback;

namespace {

struct Own final : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Thrower final : Callback {
  void on_fit_start(Event&) override { throw Own("too hot"); }
  void on_fit_end(Event&) override { throw 42; }
  void on_train_start(Event& event) override { event.request_stop("host fails"); }
  void on_train_end(Event& event) override {
    try {
      event.request_stop("host fails");
    } catch (const grapnel::plugin::HostFailure&) {
      event.log_info("swallowed");
    }
  }
  void on_train_epoch_start(Event& event) override {
    try {
      event.request_stop("host fails");
    } catch (const std::exception&) {
      event.log_info("a std::exception");
    }
  }
  void on_train_epoch_end(Event& event) override { event.parameters()[3].name(); }
  void on_test_start(Event&) override { throw std::bad_alloc(); }
};

struct BadConstructor final : Callback {
  explicit BadConstructor(const Params& params) {
    if (params.get("refuse", false)) throw std::invalid_argument("refused");
  }
};

struct Refuser final : Callback {
  explicit Refuser(const Params&) { ++alive; }
  ~Refuser() override { --alive; }
  void init(Services& services) override {
    if (!services.has_extension("grapnel.moon/1")) throw Own("no moon");
  }
  static inline int alive = 0;
};

std::int32_t fire(RecordingHost& host, std::uint32_t hook) {
  return RunningCallback(host, plugin_of<Thrower>(), "it").fire<grapnel_Event>(hook);
}

}  // namespace

TEST_CASE("a hook's exception becomes a status, its type and text go to the host") {
  RecordingHost host;
  CHECK(fire(host, GRAPNEL_HOOK_on_fit_start) == GRAPNEL_ERROR);
  REQUIRE(host.failures.size() == 1);
  CHECK_THAT(host.failures[0], Catch::EndsWith("Own: too hot"));
}

TEST_CASE("a thrown object that is not a std::exception is named by its type") {
  RecordingHost host;
  CHECK(fire(host, GRAPNEL_HOOK_on_fit_end) == GRAPNEL_ERROR);
  CHECK(host.failures == std::vector<std::string>{"int"});
}

TEST_CASE("std::bad_alloc is reported like any exception") {
  RecordingHost host;
  CHECK(fire(host, GRAPNEL_HOOK_on_test_start) == GRAPNEL_ERROR);
  CHECK(host.failures == std::vector<std::string>{"std::bad_alloc: std::bad_alloc"});
}

TEST_CASE(
    "a failure of the host passes through a hook as pending, without a text of the plugin's") {
  RecordingHost host;
  host.failing = {"request"};
  CHECK(fire(host, GRAPNEL_HOOK_on_train_start) == GRAPNEL_PENDING);
  CHECK(host.failures.empty());
}

TEST_CASE("a host that can't give an extension is not taken for one that has none") {
  RecordingHost host;
  host.failing = {"grapnel.moon/1"};
  CHECK_THROWS_WITH(RunningCallback(host, plugin_of<Refuser>(), "it"), "init: no reason given");
  CHECK(host.pending);
  CHECK(host.failures.empty());
  CHECK(Refuser::alive == 0);
}

TEST_CASE("a hook may swallow a failure of the host by its own type") {
  RecordingHost host;
  host.failing = {"request"};
  CHECK(fire(host, GRAPNEL_HOOK_on_train_end) == GRAPNEL_OK);
  CHECK(host.log == std::vector<std::string>{"info: swallowed"});
}

TEST_CASE("a handler for std::exception does not swallow a failure of the host") {
  RecordingHost host;
  host.failing = {"request"};
  CHECK(fire(host, GRAPNEL_HOOK_on_train_epoch_start) == GRAPNEL_PENDING);
  CHECK(host.log.empty());
}

TEST_CASE("an index out of range is an error with a text") {
  RecordingHost host;
  CHECK(fire(host, GRAPNEL_HOOK_on_train_epoch_end) == GRAPNEL_ERROR);
  CHECK(host.failures == std::vector<std::string>{"entry 3 of the model: there is none"});
}

TEST_CASE("a service that the host lacks is an error that names it") {
  RecordingHost host;
  host.missing = {GRAPNEL_EXT_MODULE};
  CHECK(fire(host, GRAPNEL_HOOK_on_train_epoch_end) == GRAPNEL_ERROR);
  CHECK(host.failures ==
        std::vector<std::string>{"this host does not offer the extension grapnel.module/1"});
}

TEST_CASE("a request in a hook where it has no meaning says so") {
  RecordingHost host;
  host.trainer.stage = GRAPNEL_STAGE_NONE;
  CHECK(fire(host, GRAPNEL_HOOK_on_train_start) == GRAPNEL_ERROR);
  CHECK(host.failures == std::vector<std::string>{"this request: not possible in this hook"});
}

TEST_CASE("a request that the running kind of run doesn't support is an error that says so") {
  RecordingHost host;
  host.trainer.stage = GRAPNEL_STAGE_NONE;
  host.trainer.run = GRAPNEL_RUN_VALIDATE;
  CHECK(fire(host, GRAPNEL_HOOK_on_train_start) == GRAPNEL_ERROR);
  CHECK(host.failures ==
        std::vector<std::string>{"this request is only for fit, and this run is not one"});
}

TEST_CASE("a constructor that throws makes create fail with its text") {
  RecordingHost host;
  host.params["refuse"] = true;
  CHECK_THROWS_WITH(RunningCallback(host, plugin_of<BadConstructor>(), "it"),
                    "create: std::invalid_argument: refused");
}

TEST_CASE("when init refuses, the instance is still destroyed") {
  RecordingHost host;
  CHECK_THROWS_WITH(RunningCallback(host, plugin_of<Refuser>(), "it"),
                    Catch::EndsWith("Own: no moon"));
  CHECK(Refuser::alive == 0);
}

TEST_CASE("a plugin works with a host that has no log") {
  RecordingHost host;
  host.missing = {GRAPNEL_EXT_LOG};
  host.failing = {"request"};
  CHECK(fire(host, GRAPNEL_HOOK_on_train_end) == GRAPNEL_OK);
}

}  // namespace failures_test
