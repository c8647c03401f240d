// Real libraries are loaded into this process: those that end or hang it are the probe's business.
#include <grapnel/host/loader.h>

#include <dlfcn.h>

#include <filesystem>

#include <grapnel/base/digest.h>
#include <grapnel/base/error.h>

#include "catch.h"
#include "plugin_world.h"

namespace loader_test {

using namespace grapnel;
using namespace grapnel::host;
using Catch::Contains;
using grapnel::test::PluginWorld;
namespace fs = std::filesystem;

namespace {

// The plugin as a run would get it.
SelectedPlugin selected(const PluginWorld& world, const fs::path& library) {
  const PluginSelection selection = select_plugins({.discovery = world.discovery(),
                                                    .plugins = {library.string()},
                                                    .no_plugins = {},
                                                    .environment = "none"});
  REQUIRE(selection.plugins.size() == 1);
  return selection.plugins.front();
}

fs::path hostile(const std::string& name) {
  return fs::path(HOSTILE_DIRECTORY) / name / (name + ".so");
}

std::string refusal(const std::string& name) {
  const PluginWorld world;
  try {
    (void)load_plugin(selected(world, hostile(name)));
  } catch (const PluginError& error) {
    CHECK(error.plugin == name);
    return error.what();
  }
  return "loaded";
}

}  // namespace

TEST_CASE("a plugin is loaded from the store and hands out its factories") {
  const PluginWorld world;
  const SelectedPlugin plugin = selected(world, NAN_GUARD);
  const LoadedPlugin& loaded = load_plugin(plugin);
  CHECK(loaded.manifest().id == "nan_guard");
  CHECK(loaded.library() == plugin.library);
  CHECK(loaded.digest() == plugin.digest);
  CHECK(loaded.entry().abi_minor == GRAPNEL_ABI_LOWEST_MINOR);  // what it is written for
  REQUIRE(loaded.factory("nan_guard") != nullptr);
  CHECK(loaded.factory("nan_guard")->create != nullptr);
  CHECK(loaded.factory("other") == nullptr);
  CHECK(loaded.changed().empty());
  CHECK(&load_plugin(plugin) == &loaded);
  // Its symbols stay its own.
  CHECK(dlsym(RTLD_DEFAULT, GRAPNEL_PLUGIN_SYMBOL_NAME) == nullptr);
}

TEST_CASE("a plugin with the id of a loaded one but another digest needs a new process") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("twice", {.version = "1.0.0"});
  (void)load_plugin(selected(world, library));
  world.add_plugin("twice", {.version = "2.0.0"});
  test::change_library(library);
  CHECK_THROWS_WITH(load_plugin(selected(world, library)),
                    Contains("cannot load plugin 'twice' 2.0.0") &&
                        Contains("version 1.0.0 of it is already loaded") &&
                        Contains("new process"));
}

TEST_CASE("a stored copy with another digest than enabled is not loaded") {
  const PluginWorld world;
  const SelectedPlugin plugin = selected(world, world.add_plugin("tampered"));
  fs::permissions(plugin.library, fs::perms{0600});
  test::change_library(plugin.library);
  CHECK_THROWS_WITH(load_plugin(plugin),
                    Contains("was changed") && Contains("grapnel plugin enable tampered"));
  fs::remove(plugin.library);
  CHECK_THROWS_WITH(load_plugin(plugin), Contains("is missing"));
}

TEST_CASE("an entry that breaks the ABI's promises is refused with what is wrong") {
  CHECK_THAT(refusal("entry_short"), Contains("has 4 bytes, at least 24 are needed"));
  CHECK_THAT(refusal("entry_other_minor"), Contains("compiled for ABI 0.999, this host offers " +
                                                    offered_abi() + "; update grapnel"));
  CHECK_THAT(refusal("entry_no_factories"), Contains("its list of factories is NULL"));
  CHECK_THAT(refusal("factory_null"), Contains("factory 0 is NULL"));
  CHECK_THAT(refusal("factory_short"), Contains("its factory 0 has"));
  CHECK_THAT(refusal("factory_without_create"), Contains("has no function 'create'"));
  CHECK_THAT(refusal("factory_other_name"),
             Contains("names the callback 'factory_other_name'") && Contains("'somebody_else'"));
}

TEST_CASE("a newer plugin's longer entry is accepted") {
  CHECK(refusal("entry_longer") == "loaded");
}

TEST_CASE("the system loader's error is passed on, with what to do") {
  CHECK_THAT(refusal("load_cannot_resolve"),
             Contains("undefined symbol: grapnel_hostile_function_that_is_nowhere") &&
                 Contains("nothing here provides") && !Contains("boost"));
  CHECK_THAT(
      refusal("links_libtorch"),
      Contains("libtorch_cpu.so: cannot open shared object file") && Contains("not installed"));
}

TEST_CASE("changes that a library makes to the process while it is loaded are named and undone") {
  const PluginWorld world;
  const fs::path directory = fs::current_path();
  const LoadedPlugin& loaded = load_plugin(selected(world, hostile("load_changes_process")));
  CHECK(loaded.changed().size() == 5);
  CHECK(fs::current_path() == directory);
  CHECK(getenv("GRAPNEL_HOSTILE") == nullptr);
}

}  // namespace loader_test
