// Plugins that lie (tests/hostile), as real libraries in a real training: each ends with the error that it
// deserves, names the guilty, and the host goes on.
#include <clocale>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <limits>

#include <grapnel/base/error.h>

#include "../../host/bridge/src/floating_point.h"
#include "catch.h"
#include "support/plugin_home.h"
#include "support/toy_training.h"

namespace hostile_test {

using namespace grapnel;
using namespace grapnel::bridge;
using namespace grapnel::test;

namespace {

// A library of tests/hostile by name, dropped in and enabled.
struct Hostile {
  explicit Hostile(const std::string& id) : name(id) {
    const std::filesystem::path directory = std::filesystem::path(HOSTILE) / id;
    home.drop_in(directory / (id + ".so"));
    home.enable(id);
  }

  std::vector<CallbackHandle> handles(OnError on_error = OnError::fail) const {
    PluginCallbackConfig config{.name = name};
    config.on_error = on_error;
    return enabled_plugins(home.selection(), {config});
  }
  void fit(OnError on_error = OnError::fail) { toy.fit(handles(on_error)); }
  // What the PluginError of a fit says.
  std::string failure() {
    try {
      fit();
    } catch (const PluginError& error) {
      CHECK(error.plugin == name);
      return error.what();
    } catch (const std::exception& error) {
      return std::string("no PluginError: ") + error.what();
    }
    return "no error";
  }

  std::string name;
  PluginHome home;
  Toy toy;
};

}  // namespace

TEST_CASE("a library without its factory, or with a broken one, is refused by name") {
  for (const char* id : {"entry_no_factories", "entry_other_minor", "entry_short", "factory_null",
                         "factory_other_name", "factory_short", "factory_without_create"}) {
    INFO(id);
    Hostile plugin(id);
    CHECK_THROWS_AS(plugin.fit(), PluginError);
    CHECK_THAT(plugin.failure(), Catch::Contains(std::string("'") + id + "'"));
  }
}

TEST_CASE("a create that fails, or makes nothing usable, refuses the plugin") {
  CHECK_THAT(Hostile("create_fails").failure(), Catch::Contains("failed in create: "));
  CHECK_THAT(Hostile("create_fails_silently").failure(), Catch::Contains("it gave no reason"));
  CHECK_THAT(Hostile("create_makes_nothing").failure(),
             Catch::Contains("create() returned OK but no instance"));
  CHECK_THAT(Hostile("instance_short").failure(), Catch::Contains("bytes, at least"));
  CHECK_THAT(Hostile("instance_without_destroy").failure(),
             Catch::Contains("its instance has no function 'init'"));
  CHECK_THAT(Hostile("constructor_throws").failure(), Catch::Contains("failed in create"));
  CHECK_THAT(Hostile("init_refuses").failure(), Catch::Contains("failed in init"));
}

TEST_CASE("an instance that can't say which extensions it has is refused with its reason") {
  CHECK_THAT(Hostile("extension_fails").failure(),
             Catch::Contains("failed in get_extension: the tables are at the carpenter's"));
  CHECK_THAT(Hostile("extension_null").failure(),
             Catch::Contains("get_extension() returned OK but no table for grapnel.state/1"));
}

TEST_CASE("a plugin with an invalid hook table is refused before the run") {
  CHECK_THAT(Hostile("hook_twice").failure(), Catch::Contains("twice"));
  CHECK_THAT(Hostile("hook_without_function").failure(), Catch::Contains("has no function"));
  CHECK_THAT(Hostile("hooks_null").failure(), Catch::Contains("hooks is NULL"));
  CHECK_THAT(Hostile("hook_unknown_required").failure(), Catch::Contains("it uses hook"));
  CapturedLog log;
  Hostile("hook_unknown_optional").fit();
  CHECK(log.count("warning: [hook_unknown_optional] it uses hook") == 1);
}

TEST_CASE("a failure in a hook names the plugin and the hook") {
  CHECK_THAT(Hostile("hook_fails").failure(), Catch::Contains("failed in on_"));
  CHECK_THAT(Hostile("hook_fails_silently").failure(), Catch::Contains("it gave no reason"));
  CHECK_THAT(Hostile("hook_returns_garbage").failure(), Catch::Contains("(plugin bug)"));
  CHECK_THAT(Hostile("hook_throws").failure(), Catch::Contains("failed in on_"));
  CHECK_THAT(Hostile("pending_invented").failure(), Catch::Contains("no host service"));
}

TEST_CASE("a service's failure that is passed on comes out as it was, a swallowed one is logged") {
  CHECK_THAT(Hostile("pending_passed").failure(), Catch::Contains("aten::clone"));
  CapturedLog log;
  Hostile("pending_swallowed").fit();
  CHECK(log.count("ignored the failure of a host service") > 0);
}

TEST_CASE(
    "on_error disable works for every hostile plugin, and the run is the same as without it") {
  Toy alone;
  alone.fit({});
  for (const char* id : {"hook_fails", "hook_returns_garbage", "hook_throws", "pending_invented"}) {
    INFO(id);
    CapturedLog log;
    Hostile plugin(id);
    plugin.fit(OnError::disable);
    CHECK(log.count("is disabled; the run continues without it") == 1);
    CHECK(plugin.toy.module.weight.equal(alone.module.weight));
  }
}

TEST_CASE("denormals survive a plugin that flips them") {
  const auto before = FloatingPoint::current();
  CapturedLog log;
  Hostile("hook_flips_denormals").fit();
  CHECK(FloatingPoint::current() == before);
  CHECK(log.count("changed the floating-point environment") == 1);
}

TEST_CASE("changes to the process while a library is loaded or created are undone") {
  const auto directory = std::filesystem::current_path();
  const std::string locale = std::setlocale(LC_ALL, nullptr);
  CapturedLog log;
  Hostile("load_changes_process").fit();
  Hostile("create_changes_process").fit();
  CHECK(std::filesystem::current_path() == directory);
  CHECK(std::setlocale(LC_ALL, nullptr) == locale);
  CHECK(log.count("load_changes_process") > 0);
  CHECK(log.count("[create_changes_process] changed ") > 0);
}

TEST_CASE("services refuse invalid arguments and calls from a plugin's own threads") {
  CapturedLog log;
  Hostile("arguments_bad").fit();
  Hostile("text_null").fit();
  CHECK(log.count("[text_null] broke the contract of fail in on_train_batch_end: the text is NULL "
                  "with a size of 5") == 1);
  CHECK(log.count("[text_null] broke the contract of fail in on_train_batch_end: the text is "
                  "67108865 bytes long, at most 67108864 are accepted") == 1);
  CHECK(log.count("[text_null] broke the contract of get_extension: the id is NULL") == 1);
  CHECK(log.count("[text_null] broke the contract of get_extension: the output pointer") == 1);
  Hostile("thread_wrong").fit();
  CHECK(log.count("a line from another thread") > 0);
}

TEST_CASE("a lease that a plugin never ends is undone with the run") {
  CapturedLog log;
  Hostile plugin("lease_kept");
  double during = -1;
  plugin.toy.module.during_step = [&](const std::string& stage, Batch&) {
    if (stage == "train") during = plugin.toy.module.weight.abs().sum().item<double>();
  };
  plugin.fit();
  CHECK(during >= 0);
  plugin.toy.trainer = nullptr;  // destroys the instance
  CHECK(log.count("never ended its lease") == 1);
  CHECK(plugin.toy.module.weight.abs().sum().item<double>() > 0);
}

TEST_CASE("a state that is too large, or has bad keys, is the plugin's failure") {
  Hostile huge("state_huge");
  huge.fit();
  CHECK_THROWS_AS(huge.toy.trainer->dump_checkpoint(), PluginError);
  Hostile keys("state_bad_keys");
  keys.fit();
  CHECK_NOTHROW(keys.toy.trainer->dump_checkpoint());
  Hostile fails("state_save_fails");
  fails.fit();
  CHECK_THROWS_AS(fails.toy.trainer->dump_checkpoint(), PluginError);
  CHECK_THAT(Hostile("state_short").failure(), Catch::Contains("lacks save or load"));
}

TEST_CASE("a state that the plugin refuses to load names it and both versions") {
  TempDir directory;
  Hostile plugin("state_load_fails");
  plugin.fit();
  plugin.toy.trainer->save_checkpoint(directory / "a.ckpt");
  CHECK_THROWS_WITH(
      plugin.toy.fit(plugin.handles(), {.ckpt_path = (directory / "a.ckpt").string()}),
      Catch::Contains("'state_load_fails'") && Catch::Contains("this state smells of fish"));
}

TEST_CASE("the witness plugin sees create, init, hooks and destroy in order, each once") {
  CapturedLog log;
  {
    Hostile witness("witness");
    witness.fit();
  }
  CHECK(log.count("[witness] created") == 1);
  CHECK(log.count("[witness] destroyed") == 1);
}

TEST_CASE("a failing destroy is only logged") {
  CapturedLog log;
  { Hostile("destroy_fails").fit(); }
  CHECK(log.count("failed in destroy") == 1);
}

}  // namespace hostile_test
