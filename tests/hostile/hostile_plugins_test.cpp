// That the plugins of this folder break what they say they break, in the recording host; what the real
// host makes of them is tested in tests/host and tests/bridge.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "catch.h"
#include "sdk/testkit.h"

namespace hostile_plugins_test {

using namespace grapnel::test;

namespace {

PluginFile load(const std::string& name) {
  return PluginFile(std::filesystem::path(HOSTILE_PLUGINS) / name / (name + ".so"));
}

struct Batch {
  std::int32_t status;
  std::vector<std::string> failures;
};

/// One training batch with the plugin.
Batch run_batch(const std::string& name, RecordingHost& host) {
  const PluginFile plugin = load(name);
  FakeBatch batch;
  batch.tensors = {FakeTensor::make({1})};
  FakeOutputs outputs;
  outputs.loss = 1;
  grapnel_TrainBatchEnd event{};
  event.batch = reinterpret_cast<grapnel_batch*>(&batch);
  event.outputs = reinterpret_cast<grapnel_outputs*>(&outputs);
  RunningCallback callback(host, plugin.entry(), name);
  return {callback.fire(GRAPNEL_HOOK_on_train_batch_end, event), host.failures};
}
Batch run_batch(const std::string& name) {
  RecordingHost host;
  return run_batch(name, host);
}

std::string refusal(const std::string& name) {
  RecordingHost host;
  const PluginFile plugin = load(name);
  try {
    RunningCallback callback(host, plugin.entry(), name);
    return "none";
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

/// How a child process ended that ran body: its wait status, 0 when all went well.
template <class Body>
int status_of(const Body& body) {
  const pid_t child = fork();
  if (child == 0) {
    close(STDERR_FILENO);
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    body();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

}  // namespace

TEST_CASE("failing hooks give a reason, or none, or an invalid status") {
  CHECK(run_batch("hook_fails").failures == std::vector<std::string>{"I don't like this batch"});
  CHECK(run_batch("hook_fails").status == GRAPNEL_ERROR);
  CHECK(run_batch("hook_fails_silently").status == GRAPNEL_ERROR);
  CHECK(run_batch("hook_fails_silently").failures.empty());
  CHECK(run_batch("hook_returns_garbage").status == 123456789);
  CHECK(run_batch("hook_throws").failures ==
        std::vector<std::string>{"std::out_of_range: batch 0 is out of range"});
}

TEST_CASE("a failure of the host is passed on, swallowed, or invented") {
  RecordingHost passing, swallowing, inventing;
  CHECK(run_batch("pending_passed", passing).status == GRAPNEL_PENDING);
  CHECK(passing.pending);
  CHECK(run_batch("pending_swallowed", swallowing).status == GRAPNEL_OK);
  CHECK(swallowing.pending);
  CHECK(run_batch("pending_invented", inventing).status == GRAPNEL_PENDING);
  CHECK_FALSE(inventing.pending);
}

TEST_CASE("create and init refuse with a text, or without") {
  CHECK(refusal("create_fails") == "create: the weather is bad");
  CHECK(refusal("create_fails_silently") == "create: no reason given");
  CHECK(refusal("constructor_throws") == "create: std::runtime_error: not built today");
  CHECK(refusal("init_refuses") == "init: this plugin wants a moon of cheese");
}

TEST_CASE("get_extension fails with a text, or succeeds without a table") {
  RecordingHost host;
  const auto state_of = [&](const char* name) {
    const PluginFile plugin = load(name);
    return RunningCallback(host, plugin.entry(), name).state();
  };
  CHECK_THROWS_WITH(state_of("extension_fails"), "get_extension answered -1");
  CHECK(host.failures == std::vector<std::string>{"the tables are at the carpenter's"});
  CHECK(state_of("extension_null") == nullptr);
}

TEST_CASE("bad arguments are refused by a host that checks them") {
  RecordingHost host;
  host.parameters = {{"weight", FakeTensor::make({1}), FakeTensor::make({1})}};
  host.optimizers = {{"SGD", {{{"lr", 0.1}}}}};
  CHECK(run_batch("arguments_bad", host).failures == std::vector<std::string>{"request(not now) "});
}

TEST_CASE("a text that is NULL with a size, or endless, is refused by a host that checks it") {
  CHECK(run_batch("text_null").failures.empty());
}

TEST_CASE("lease_kept keeps its lease") {
  RecordingHost host;
  host.parameters = {{"weight", FakeTensor::make({5}), nullptr}};
  const PluginFile plugin = load("lease_kept");
  {
    RunningCallback callback(host, plugin.entry(), "lease_kept");
    CHECK(callback.fire<grapnel_TrainBatchStart>(GRAPNEL_HOOK_on_train_batch_start) == GRAPNEL_OK);
  }
  CHECK(host.lease_reason == "kept for ever");
  CHECK(host.parameters[0].tensor->values == std::vector<double>{0});
}

TEST_CASE("bad state keys and a state over the limit are refused by a host that checks them") {
  RecordingHost host;
  const auto save = [&](const char* name) {
    const PluginFile plugin = load(name);
    return RunningCallback(host, plugin.entry(), name).save();
  };
  CHECK_THROWS_WITH(save("state_huge"),
                    "save answered " + std::to_string(GRAPNEL_INVALID_ARGUMENT));
  CHECK(save("state_bad_keys").entries.size() == 1);
  CHECK(host.failures.empty());
  CHECK_THROWS(save("state_save_fails"));
  CHECK(host.failures == std::vector<std::string>{"nothing worth keeping"});
}

TEST_CASE("the witness has nothing to say about a host that keeps the contract") {
  RecordingHost host;
  const PluginFile plugin = load("witness");
  {
    RunningCallback callback(host, plugin.entry(), "witness");
    CHECK(callback.hooks().size() == GRAPNEL_HOOK_COUNT_KNOWN);
    CHECK(callback.fire<grapnel_StageEvent>(GRAPNEL_HOOK_setup) == GRAPNEL_OK);
  }
  CHECK(host.log == std::vector<std::string>{"info: created", "info: destroyed"});
}

TEST_CASE("the witness ends a process whose host breaks the contract") {
  const int aborted = SIGABRT;  // a wait status: ended by that signal, without a dump of core
  const PluginFile plugin = load("witness");
  const grapnel_factory& factory = *plugin.entry().factories[0];
  const auto with_instance = [&](auto&& misuse) {
    return status_of([&] {
      RecordingHost host;
      grapnel_instance* instance = nullptr;
      factory.create(&factory, host.abi(), &instance);
      misuse(instance, host.abi());
    });
  };
  const grapnel_StageEvent setup{sizeof setup, GRAPNEL_HOOK_setup, GRAPNEL_RUN_FIT, 0};
  const auto call_setup = [&](grapnel_instance* instance, std::uint32_t entry) {
    instance->hooks[entry]->call(instance, reinterpret_cast<const grapnel_Event*>(&setup));
  };
  CHECK(with_instance([](auto* i, auto* host) { i->init(i, host), i->destroy(i); }) == 0);
  CHECK(with_instance([](auto* i, auto*) { i->destroy(i), i->destroy(i); }) == aborted);
  CHECK(with_instance([](auto* i, auto* host) { i->init(i, host), i->init(i, host); }) == aborted);
  CHECK(with_instance([&](auto* i, auto*) { call_setup(i, GRAPNEL_HOOK_setup); }) == aborted);
  CHECK(with_instance([&](auto* i, auto* host) {
          i->init(i, host);
          call_setup(i, GRAPNEL_HOOK_on_fit_start);
        }) == aborted);
}

TEST_CASE("libraries that do harm while they are loaded end the process") {
  CHECK(status_of([] { load("load_aborts"); }) != 0);
  CHECK(status_of([] { load("load_crashes"); }) != 0);
  CHECK_THROWS_WITH(load("load_cannot_resolve"), Catch::Contains("function_that_is_nowhere"));
  CHECK_THROWS_WITH(load("entry_missing"), Catch::EndsWith("has no entry"));
}

}  // namespace hostile_plugins_test
