#include <grapnel/host/plugin_list.h>

#include <filesystem>

#include <grapnel/base/error.h>

#include "catch.h"
#include "plugin_world.h"

namespace plugin_list_test {

using namespace grapnel;
using namespace grapnel::host;
using Catch::Contains;
using grapnel::test::PluginWorld;
namespace fs = std::filesystem;

namespace {

ListedPlugin find(const PluginWorld& world, const std::string& label) {
  for (const ListedPlugin& plugin : list_plugins(world.discovery()).plugins) {
    if (plugin.label() == label) return plugin;
  }
  FAIL(label << " is not listed");
  return {};
}

}  // namespace

TEST_CASE("the list shows discovered plugins as disabled, enabled ones as enabled") {
  const PluginWorld world;
  world.add_plugin("ema");
  CHECK(find(world, "ema").state == PluginState::disabled);
  CHECK(find(world, "ema").digest.empty());
  const EnabledPlugin plugin = world.enable("ema");
  CHECK(find(world, "ema").state == PluginState::enabled);
  CHECK(find(world, "ema").digest == plugin.digest);
  CHECK(find(world, "ema").note.empty());
}

TEST_CASE(
    "a plugin file that changed since enabling is a pending update, and the list shows what runs") {
  const PluginWorld world;
  world.add_plugin("ema", {.version = "1.0.0"});
  world.enable("ema");
  world.add_plugin("ema", {.version = "1.1.0"});
  test::change_library(world.plugins() / "ema.so");
  const ListedPlugin plugin = find(world, "ema");
  CHECK(plugin.state == PluginState::update_waits);
  CHECK(plugin.version == "1.0.0");
  CHECK(plugin.note == "1.1.0 is available; to use it: grapnel plugin enable ema");
}

TEST_CASE("a plugin file that was copied again or touched is not an update") {
  const PluginWorld world;
  world.add_plugin("ema");
  world.enable("ema");
  world.add_plugin("ema");
  CHECK(find(world, "ema").state == PluginState::enabled);
}

TEST_CASE("another build of the same version is listed as an update") {
  const PluginWorld world;
  world.add_plugin("ema");
  world.enable("ema");
  test::change_library(world.plugins() / "ema.so");
  CHECK_THAT(find(world, "ema").note, Contains("another build of 1.0.0 is available"));
}

TEST_CASE("an update of a plugin outside the search path is enabled by its path") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema", {}, world.dir / "build");
  (void)enable_plugin(examine(library), world.directories);
  CHECK(find(world, "ema").state == PluginState::enabled);
  test::change_library(library);
  CHECK_THAT(find(world, "ema").note,
             Contains("to use it: grapnel plugin enable '" + library.string() + "'"));
}

TEST_CASE("an update that cannot be used says why") {
  const PluginWorld world;
  world.add_plugin("ema");
  world.enable("ema");
  world.dir.write("plugins/ema.so", "cut sh");
  const ListedPlugin plugin = find(world, "ema");
  CHECK(plugin.state == PluginState::update_waits);
  CHECK_THAT(plugin.note, Contains("cannot be used: it is not a shared library"));
}

TEST_CASE("a plugin whose file is gone is missing and runs on") {
  const PluginWorld world;
  world.add_plugin("ema");
  world.enable("ema");
  fs::remove(world.plugins() / "ema.so");
  fs::remove(world.plugins() / "ema.grapnel.json");
  const ListedPlugin plugin = find(world, "ema");
  CHECK(plugin.state == PluginState::missing);
  CHECK_THAT(plugin.note, Contains("grapnel plugin disable ema"));
  CHECK(plugin.path == world.plugins() / "ema.so");
}

TEST_CASE("a plugin whose file is out of reach is missing and runs on, with the reason") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema", {}, world.dir / "build");
  (void)enable_plugin(examine(library), world.directories);
  fs::remove(library);
  fs::create_symlink(library, library);  // looking at it fails, as for a server that is down
  const ListedPlugin plugin = find(world, "ema");
  CHECK(plugin.state == PluginState::missing);
  CHECK_THAT(plugin.note, Contains("its copy is used: cannot look at '" + library.string()));
}

TEST_CASE("a plugin whose copy is gone is damaged") {
  const PluginWorld world;
  world.add_plugin("ema");
  const EnabledPlugin plugin = world.enable("ema");
  fs::remove(Store(world.directories).path_of(plugin.digest, plugin.file));
  CHECK(find(world, "ema").state == PluginState::damaged);
  CHECK_THAT(find(world, "ema").note, Contains("grapnel plugin enable ema"));
}

TEST_CASE("a plugin whose copies were changed or lost is listed as a training would find it") {
  const PluginWorld world;
  world.add_plugin("ema");
  const EnabledPlugin plugin = world.enable("ema");
  const Store store(world.directories);
  const fs::path copy = store.path_of(plugin.digest, plugin.file);
  fs::permissions(copy, fs::perms{0600});
  test::change_library(copy);
  CHECK(find(world, "ema").state == PluginState::damaged);
  CHECK_THAT(find(world, "ema").note,
             Contains("was changed: its SHA-256") && Contains("grapnel plugin enable ema"));
  world.enable("ema");
  CHECK(find(world, "ema").state == PluginState::enabled);
  fs::remove(store.path_of(plugin.manifest_digest, "plugin.json"));
  CHECK(find(world, "ema").state == PluginState::damaged);
  CHECK_THAT(find(world, "ema").note,
             Contains("plugin.json' is missing") && Contains("grapnel plugin enable ema"));
}

TEST_CASE("a plugin that crashed or failed its probe is a suspect") {
  const PluginWorld world;
  world.add_plugin("once");
  world.dir.write("cache/crashes/once", "1.0.0\ncrashed (SIGABRT) in setup\n");
  CHECK(find(world, "once").state == PluginState::disabled);
  CHECK(find(world, "once").crash == "crashed (SIGABRT) in setup");
  world.add_plugin("ema");
  const EnabledPlugin plugin = world.enable("ema");
  world.dir.write("cache/crashes/ema", "1.0.0\ncrashed (SIGSEGV) in setup\n");
  ListedPlugin listed = find(world, "ema");
  CHECK(listed.state == PluginState::suspect);
  CHECK(listed.crash == "crashed (SIGSEGV) in setup");
  CHECK_THAT(listed.note, Contains("it crashed (SIGSEGV) in setup the last time it ran") &&
                              Contains("grapnel plugin disable ema"));
  const fs::path crasher = fs::path(HOSTILE_DIRECTORY) / "load_crashes/load_crashes.so";
  for (const char* ending : {".so", ".grapnel.json"}) {
    fs::copy_file(fs::path(crasher).replace_extension(ending),
                  world.plugins() / ("load_crashes" + std::string(ending)));
  }
  CHECK(find(world, "load_crashes").probe.empty());
  const Candidate candidate = find_candidate("load_crashes", world.discovery());
  (void)probe_plugin(candidate, world.directories, {.program = GRAPNEL, .deadline_seconds = 60});
  listed = find(world, "load_crashes");
  CHECK(listed.state == PluginState::disabled);
  CHECK_THAT(listed.probe, Contains("SIGSEGV"));
  CHECK_THAT(listed.note, Contains("it failed when it was tried: "));
  world.enable("load_crashes");
  listed = find(world, "load_crashes");
  CHECK(listed.state == PluginState::suspect);
  CHECK_THAT(listed.probe, Contains("SIGSEGV"));
}

TEST_CASE("shadowed and refused plugins are listed last, with path and reason") {
  const PluginWorld world;
  world.add_plugin("zeta");
  world.add_plugin("alpha", {.abi_major = 9});
  world.add_plugin("zeta", {}, world.directories.data / "plugins");
  const PluginList list = list_plugins(world.discovery());
  REQUIRE(list.plugins.size() == 3);
  CHECK(list.plugins[0].label() == "zeta");
  CHECK(list.plugins[0].state == PluginState::disabled);
  CHECK(list.plugins[1].label() == "alpha");
  CHECK(list.plugins[1].state == PluginState::refused);
  CHECK_THAT(list.plugins[1].note, Contains("ABI 9."));
  CHECK(list.plugins[2].state == PluginState::shadowed);
  CHECK_THAT(list.plugins[2].note, Contains((world.plugins() / "zeta.so").string()));
  CHECK(list.plugins[2].path == world.directories.data / "plugins/zeta.so");
}

TEST_CASE("with all drop-ins trusted, all plugins are enabled except those that were disabled") {
  const PluginWorld world;
  world.add_plugin("ema");
  world.add_plugin("noisy");
  world.dir.write("config/plugins.json", R"({"format": 1, "trust_all_drop_ins": true,
                                             "plugins": [], "disabled": ["noisy"]})");
  CHECK(find(world, "ema").state == PluginState::enabled);
  CHECK(find(world, "noisy").state == PluginState::disabled);
}

TEST_CASE("a project's drop-ins are not among those that are trusted") {
  const PluginWorld world;
  world.add_plugin("ema", {}, world.directories.data / "plugins");
  world.add_plugin("intruder", {}, world.directories.project / ".grapnel/plugins");
  world.dir.write("config/plugins.json", R"({"format": 1, "trust_all_drop_ins": true})");
  CHECK(find(world, "ema").state == PluginState::enabled);
  CHECK(find(world, "intruder").state == PluginState::disabled);
}

TEST_CASE("the list as JSON names each plugin with its state") {
  const PluginWorld world;
  world.add_plugin("ema");
  const ConfigValue json = to_json(list_plugins(world.discovery()));
  const ConfigValue& plugin = json.at("plugins").as_array().front();
  CHECK(plugin.at("id").as_string() == "ema");
  CHECK(plugin.at("state").as_string() == "disabled");
  CHECK(plugin.at("origin").as_string() == "option");
  CHECK(json.at("directories").size() == 4);
  CHECK_FALSE(json.at("trust_all_drop_ins").as_bool());
}

}  // namespace plugin_list_test
