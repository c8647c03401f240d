// Plugins that a stranger built, with another compiler and another C++ runtime, or in plain C: they run in
// this host, side by side, as if each were alone.
#include <grapnel/base/error.h>

#include "catch.h"
#include "support/plugin_home.h"
#include "support/toy_training.h"

namespace foreign_test {

using namespace grapnel;
using namespace grapnel::bridge;
using namespace grapnel::test;

namespace {

PluginHome& home() {
  static PluginHome* const with_both = [] {
    auto* made = new PluginHome;  // the libraries stay loaded to the end of the process
    made->drop_in(std::filesystem::path(FOREIGN_PLUGINS) / "guest.so");
    made->drop_in(std::filesystem::path(FOREIGN_PLUGINS) / "plain_c.so");
    made->enable("guest");
    made->enable("org.example.plain_c");
    return made;
  }();
  return *with_both;
}

}  // namespace

TEST_CASE("a plugin of clang and libc++ and one in plain C train side by side") {
  CapturedLog log;
  Toy toy;
  toy.options.max_epochs = 2;
  toy.fit(enabled_plugins(home().selection()));
  CHECK(log.count("[guest]") > 0);
  CHECK(log.count("[org.example.plain_c]") > 0);
  CHECK(toy.trainer->callbacks().size() == 3 + 1);  // guest has two callbacks; ModelSummary
}

TEST_CASE("an exception inside of the other runtime comes out as an error of the plugin") {
  PluginCallbackConfig config{.name = "guest.guest"};
  config.options.parameters = parse_json(R"({"fail_at_end": true})", "run.json");
  Toy toy;
  try {
    toy.fit(enabled_plugins(home().selection(), {config}));
    FAIL("the run did not fail");
  } catch (const PluginError& error) {
    CHECK(error.plugin == "guest");
    CHECK(error.version == "2.1.0");
    CHECK(!error.hook.empty());
  }
}

}  // namespace foreign_test
