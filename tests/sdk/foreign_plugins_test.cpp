// Plugins that a stranger built: in C, and in C++ with clang and libc++, in this host of another runtime.
#include <filesystem>

#include "catch.h"
#include "testkit.h"

namespace foreign_plugins_test {

using namespace grapnel::test;

namespace {

std::filesystem::path file(const char* name) {
  return std::filesystem::path(FOREIGN_PLUGINS) / name;
}

FakeOutputs with_loss(double loss) {
  FakeOutputs outputs;
  outputs.loss = loss;
  return outputs;
}

}  // namespace

TEST_CASE("a plugin in C counts, logs, and restores its state from a checkpoint") {
  RecordingHost host;
  host.params["weight"] = std::int64_t{2};
  PluginFile plugin(file("plain_c.so"));
  RecordedState saved;
  {
    RunningCallback counter(host, plugin.entry(), "batch_counter");
    REQUIRE(counter.train_batch_end({}) == GRAPNEL_OK);
    REQUIRE(counter.train_batch_end({}) == GRAPNEL_OK);
    saved = counter.save();
  }
  RunningCallback counter(host, plugin.entry(), "batch_counter");
  REQUIRE(counter.load(saved) == GRAPNEL_OK);
  REQUIRE(counter.train_batch_end({}) == GRAPNEL_OK);
  REQUIRE(counter.fire<grapnel_Event>(GRAPNEL_HOOK_on_fit_end) == GRAPNEL_OK);
  CHECK(host.metrics.back().value == 6);
  CHECK(host.log == std::vector<std::string>{"info: counted 6"});
  CHECK(counter.load({}) == GRAPNEL_ERROR);
  CHECK(host.failures == std::vector<std::string>{"the state has no count"});
}

TEST_CASE("a plugin with its own C++ runtime throws and catches across threads inside") {
  RecordingHost host;
  host.params = {{"fail_at_end", false}, {"title", std::string("guest")}};
  PluginFile plugin(file("guest.so"));
  RecordedState saved;
  {
    RunningCallback guest(host, plugin.entry(), "guest");
    REQUIRE(guest.train_batch_end(with_loss(0.5)) == GRAPNEL_OK);
    REQUIRE(guest.train_batch_end(with_loss(1.25)) == GRAPNEL_OK);
    saved = guest.save();
  }
  RunningCallback guest(host, plugin.entry(), "guest");
  REQUIRE(guest.load(saved) == GRAPNEL_OK);
  REQUIRE(guest.train_batch_end(with_loss(2)) == GRAPNEL_OK);
  REQUIRE(guest.fire<grapnel_Event>(GRAPNEL_HOOK_on_fit_end) == GRAPNEL_OK);
  CHECK(host.log == std::vector<std::string>{"info: guest speaks from a thread",
                                             "info: guest: 3 losses, sum 3.75"});
  CHECK(host.failures.empty());
}

TEST_CASE(
    "an exception inside another C++ runtime stays in its library, and exceptions of this runtime "
    "still work") {
  RecordingHost host;
  host.params = {{"fail_at_end", true}, {"title", std::string("guest")}};
  PluginFile plugin(file("guest.so"));
  RunningCallback guest(host, plugin.entry(), "guest");
  try {
    throw std::runtime_error("the host's own");
  } catch (const std::runtime_error&) {
    CHECK(guest.fire<grapnel_Event>(GRAPNEL_HOOK_on_fit_end) == GRAPNEL_ERROR);
    const auto current = std::current_exception();
    CHECK_THROWS_WITH(std::rethrow_exception(current), "the host's own");
  }
  CHECK(host.failures == std::vector<std::string>{"std::out_of_range: asked to fail"});
}

TEST_CASE("one plugin library may have several callbacks") {
  RecordingHost host;
  PluginFile plugin(file("guest.so"));
  REQUIRE(plugin.entry().factory_count == 2);
  CHECK(RunningCallback(host, plugin.entry(), "bystander").hooks().empty());
}

}  // namespace foreign_plugins_test
