// Who runs is known per thread, and what a plugin wants is not what it has.
#include <grapnel/bridge/running_plugin.h>

#include <future>
#include <memory>
#include <thread>

#include "catch.h"
#include "support/in_process_plugin.h"
#include "support/toy_training.h"

namespace running_plugin_test {

using namespace grapnel;
using namespace grapnel::bridge;
using namespace grapnel::test;

TEST_CASE("calls on two threads that end in any order leave nobody running") {
  auto first = std::make_unique<RunningPlugin>(RunningPlugin{"first", "1", "a", "setup"});
  const RunningPlugin second{"second", "1", "b", "setup"};
  std::promise<void> began, may_end;
  auto scope = std::make_unique<RunningPluginScope>(*first);
  std::thread other([&] {
    CHECK(running_plugin() == nullptr);
    const RunningPluginScope here(second);
    began.set_value();
    may_end.get_future().wait();
    CHECK(running_plugin() == &second);
  });
  began.get_future().wait();
  CHECK(running_plugin() == first.get());
  scope.reset();  // before the other's, which began later
  first.reset();
  CHECK(running_plugin() == nullptr);
  may_end.set_value();
  other.join();
  CHECK(running_plugin() == nullptr);
}

TEST_CASE("a plugin is asked for after a failure without having that hook") {
  InProcessPlugin plugin;
  plugin.on(Hook::on_before_backward,
            [](const Caller&, const grapnel_Event*) { return GRAPNEL_OK; });
  const auto callback = plugin.make();
  constexpr auto on_exception = static_cast<std::size_t>(Hook::on_exception);
  CHECK_FALSE(callback->hooks().test(on_exception));
  CHECK(callback->wanted({}).test(on_exception));
}

}  // namespace running_plugin_test
