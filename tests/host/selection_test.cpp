#include <grapnel/host/selection.h>

#include <chrono>
#include <filesystem>

#include <grapnel/base/digest.h>
#include <grapnel/base/error.h>
#include <grapnel/host/store.h>

#include "catch.h"
#include "plugin_world.h"

namespace selection_test {

using namespace grapnel;
using namespace grapnel::host;
using Catch::Contains;
using grapnel::test::PluginWorld;
namespace fs = std::filesystem;
using Ids = std::vector<std::string>;

namespace {

// What a run is told to use.
struct Wish {
  Ids plugins = {};
  Ids no_plugins = {};
  std::string environment = "";
};

PluginSelection select(const PluginWorld& world, const Wish& wish = {}) {
  return select_plugins({.discovery = world.discovery(),
                         .plugins = wish.plugins,
                         .no_plugins = wish.no_plugins,
                         .environment = wish.environment});
}

Ids ids(const PluginSelection& selection) {
  Ids ids;
  for (const SelectedPlugin& plugin : selection.plugins) ids.push_back(plugin.manifest->id);
  return ids;
}

void trust_all_drop_ins(const PluginWorld& world) {
  world.dir.write("config/plugins.json", R"({"format": 1, "trust_all_drop_ins": true})");
}

}  // namespace

TEST_CASE("a discovered plugin does not run; one line says how to enable it") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema", {.version = "1.2.0"});
  const PluginSelection selection = select(world);
  CHECK(selection.plugins.empty());
  REQUIRE(selection.notices.size() == 1);
  CHECK(selection.notices[0] == "plugin 'ema' 1.2.0 (" + library.string() +
                                    ") is not enabled; to use it: grapnel plugin enable "
                                    "ema; to silence this: grapnel plugin disable ema");
}

TEST_CASE("an enabled plugin runs from the store, whatever happens to its file") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema");
  const EnabledPlugin enabled = world.enable("ema");
  const auto check = [&] {
    const PluginSelection selection = select(world);
    REQUIRE(ids(selection) == Ids{"ema"});
    const SelectedPlugin& plugin = selection.plugins.front();
    CHECK(plugin.digest == enabled.digest);
    CHECK(hex(sha256_file(plugin.library)) == enabled.digest);
    CHECK(plugin.manifest->version == "1.0.0");
    CHECK(plugin.origin == library);
    CHECK(plugin.reason == "enabled");
    return selection.notices;
  };
  CHECK(check().empty());
  world.add_plugin("ema", {.version = "2.0.0"});
  test::change_library(library);
  REQUIRE(check().size() == 1);
  CHECK_THAT(check()[0], Contains("has an update to 2.0.0 in") && Contains("enable ema"));
  fs::remove(library);
  fs::remove(world.plugins() / "ema.grapnel.json");
  REQUIRE(check().size() == 1);
  CHECK_THAT(check()[0], Contains("is gone") && Contains("disable ema"));
}

TEST_CASE("an enabled plugin runs though the file it came from is out of reach") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema", {}, world.dir / "elsewhere");
  (void)enable_plugin(examine(library), world.directories);
  fs::remove(library);
  fs::create_symlink(library, library);  // looking at it fails, as for a server that is down
  const PluginSelection selection = select(world);
  CHECK(ids(selection) == Ids{"ema"});
  REQUIRE(selection.notices.size() == 1);
  CHECK_THAT(selection.notices[0], Contains("runs from its copy") && Contains(library.string()));
}

TEST_CASE("plugin directories may be behind symbolic links") {
  PluginWorld world;
  world.add_plugin("ema");
  fs::create_directory(world.dir / "disk");
  fs::create_directory_symlink(world.dir / "disk", world.dir / "home");
  world.directories.config = world.dir / "home/config";
  world.directories.data = world.dir / "home/data";
  world.directories.cache = world.dir / "home/cache";
  world.enable("ema");
  const PluginSelection selection = select(world);
  REQUIRE(ids(selection) == Ids{"ema"});
  CHECK(stored_file_damage(selection.plugins[0].library, selection.plugins[0].digest).empty());
}

TEST_CASE("a disabled plugin is not mentioned") {
  const PluginWorld world;
  world.add_plugin("ema");
  (void)disable_plugin("ema", world.directories);
  CHECK(select(world).notices.empty());
}

TEST_CASE("GRAPNEL_PLUGINS chooses the plugins of one run") {
  const PluginWorld world;
  for (const char* id : {"a", "b", "c"}) world.add_plugin(id);
  world.enable("a");
  CHECK(ids(select(world, {.environment = "all"})) == Ids{"a", "b", "c"});
  CHECK(ids(select(world, {.environment = "none"})).empty());
  CHECK(ids(select(world, {.environment = "c, b"})) == Ids{"b", "c"});
  CHECK(select(world, {.environment = "none"}).notices.empty());
  CHECK(read_enabled(world.directories).plugins.size() == 1);
  CHECK_THROWS_WITH(select(world, {.environment = "a,bb"}), Contains("there is no plugin 'bb'"));
}

TEST_CASE("with GRAPNEL_PLUGINS=none a run works even if the plugins or their record are damaged") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema", {}, world.dir / "build");
  world.dir.write("config/plugins.json", "damaged");
  CHECK_THROWS_AS(select(world), ConfigError);
  CHECK(ids(select(world, {.environment = "none"})).empty());
  CHECK(ids(select(world, {.plugins = {library.string()}, .environment = "none"})) == Ids{"ema"});
}

TEST_CASE("--plugin adds a plugin, --no-plugin removes one") {
  const PluginWorld world;
  for (const char* id : {"a", "b", "c"}) world.add_plugin(id);
  world.enable("a");
  CHECK(ids(select(world, {.plugins = {"b"}})) == Ids{"a", "b"});
  CHECK(ids(select(world, {.plugins = {"b", "b"}})) == Ids{"a", "b"});
  CHECK(ids(select(world, {.no_plugins = {"a"}})).empty());
  CHECK(ids(select(world, {.plugins = {"c"}, .environment = "none"})) == Ids{"c"});
  CHECK(ids(select(world, {.no_plugins = {"b"}, .environment = "all"})) == Ids{"a", "c"});
  CHECK(select(world, {.plugins = {"b"}}).plugins[1].reason == "--plugin b");
}

TEST_CASE("a plugin may be named by its file, and takes the enabled one's place") {
  const PluginWorld world;
  world.add_plugin("ema");
  world.enable("ema");
  const fs::path other = world.add_plugin("ema", {.version = "3.0.0"}, world.dir / "build");
  test::change_library(other);
  const PluginSelection selection = select(world, {.plugins = {other.string()}});
  REQUIRE(ids(selection) == Ids{"ema"});
  CHECK(selection.plugins[0].manifest->version == "3.0.0");
  CHECK(selection.plugins[0].origin == other);
  CHECK(selection.plugins[0].library.parent_path() == world.directories.data / "store");
  CHECK(read_enabled(world.directories).find("ema")->version == "1.0.0");
  CHECK_THROWS_AS(select(world, {.plugins = {"./absent.so"}}), IoError);
}

TEST_CASE("trying builds out does not fill the store, and what a run uses stays in it") {
  const PluginWorld world;
  world.add_plugin("ema");
  const EnabledPlugin enabled = world.enable("ema");
  const fs::path build = world.add_plugin("mine", {}, world.dir / "build");
  const auto try_out = [&] {
    test::change_library(build);
    return select(world, {.plugins = {build.string()}});
  };
  const fs::path first = try_out().plugins.at(1).library;
  const auto old = fs::file_time_type::clock::now() - std::chrono::hours(24 * 31);
  fs::last_write_time(first, old);
  const fs::path used = Store(world.directories).path_of(enabled.digest, enabled.file);
  fs::last_write_time(used, old);
  const fs::path second = try_out().plugins.at(1).library;
  CHECK(second != first);
  CHECK(fs::exists(second));
  CHECK_FALSE(fs::exists(first));
  CHECK(fs::last_write_time(used) > old);
}

TEST_CASE("an id that no plugin has names the nearest") {
  const PluginWorld world;
  world.add_plugin("nan_guard_plus");
  CHECK_THROWS_WITH(select(world, {.plugins = {"nan_gard_plus"}}),
                    "there is no plugin 'nan_gard_plus'; see 'grapnel plugin list' and 'grapnel "
                    "plugin path'; did you mean 'nan_guard_plus'?");
  CHECK_THROWS_AS(select(world, {.no_plugins = {"nan_guard_pls"}}), PluginError);
}

TEST_CASE("a former id still selects the plugin") {
  const PluginWorld world;
  world.add_plugin("ema", {.members = R"("aliases": ["old"],)"});
  world.enable("ema");
  CHECK(ids(select(world, {.environment = "old"})) == Ids{"ema"});
}

TEST_CASE("--no-plugin with a former id removes the plugin, also when only its copy is left") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema", {.members = R"("aliases": ["old"],)"});
  CHECK(ids(select(world, {.no_plugins = {"old"}, .environment = "all"})).empty());
  world.enable("ema");
  CHECK(ids(select(world, {.no_plugins = {"old"}})).empty());
  fs::remove(library);
  fs::remove(world.plugins() / "ema.grapnel.json");
  CHECK(ids(select(world, {.no_plugins = {"old"}})).empty());
  CHECK(ids(select(world, {.environment = "old"})) == Ids{"ema"});
  world.add_plugin("old");  // a plugin of its own by now
  CHECK(ids(select(world, {.no_plugins = {"old"}})) == Ids{"ema"});
}

TEST_CASE("a refused plugin that is named is an error with the reason, else it is left out") {
  const PluginWorld world;
  world.add_plugin("ema", {.abi_major = 9});
  CHECK_THROWS_WITH(select(world, {.plugins = {"ema"}}),
                    Contains("cannot use plugin 'ema' 1.0.0") && Contains("needs ABI 9."));
  CHECK(ids(select(world)).empty());
  const PluginSelection all = select(world, {.environment = "all"});
  CHECK(all.plugins.empty());
  REQUIRE(all.notices.size() == 1);
  CHECK_THAT(all.notices[0], Contains("is skipped: "));
}

TEST_CASE("with all drop-ins trusted, all plugins run except those that were disabled") {
  const PluginWorld world;
  world.add_plugin("ema");
  world.add_plugin("noisy");
  trust_all_drop_ins(world);
  (void)disable_plugin("noisy", world.directories);
  CHECK(ids(select(world)) == Ids{"ema"});
  CHECK(ids(select(world, {.environment = "all"})) == Ids{"ema", "noisy"});
}

TEST_CASE("a project's plugins run only when they are named or enabled") {
  const PluginWorld world;
  const fs::path projects = world.directories.project / ".grapnel/plugins";
  const fs::path mine = world.directories.data / "plugins";
  world.add_plugin("intruder", {}, projects);
  world.add_plugin("ema", {.version = "6.6.6"}, projects);  // before the user's own of this id
  world.add_plugin("ema", {}, mine);
  trust_all_drop_ins(world);
  for (const char* environment : {"", "all"}) {
    const PluginSelection selection = select(world, {.environment = environment});
    REQUIRE(ids(selection) == Ids{"ema"});
    CHECK(selection.plugins[0].origin == mine / "ema.so");
    REQUIRE(selection.notices.size() == 1);
    CHECK_THAT(selection.notices[0], Contains("plugin 'intruder' 1.0.0") &&
                                         Contains("to use it: ") &&
                                         Contains("grapnel plugin enable intruder"));
  }
  CHECK(ids(select(world, {.plugins = {"intruder"}, .environment = "none"})) == Ids{"intruder"});
  (void)enable_plugin(examine(projects / "intruder.so"), world.directories);
  CHECK(ids(select(world)) == Ids{"ema", "intruder"});
}

TEST_CASE("before and after decide the plugins' order, with the reason") {
  const PluginWorld world;
  world.add_plugin("a", {.members = R"("after": ["c", "not_there"],)"});
  world.add_plugin("b");
  world.add_plugin("c");
  const PluginSelection selection = select(world, {.environment = "all"});
  CHECK(ids(selection) == Ids{"b", "c", "a"});
  CHECK(selection.plugins[2].order_reason == "after 'c'");
  world.add_plugin("c", {.members = R"("after": ["a"],)"});
  CHECK_THROWS_WITH(select(world, {.environment = "all"}), Contains("'a' after 'c' after 'a'"));
  CHECK(ids(select(world, {.no_plugins = {"c"}, .environment = "all"})) == Ids{"a", "b"});
}

TEST_CASE("an enabled plugin whose copy was tampered with stops the run, unless it is left out") {
  const PluginWorld world;
  world.add_plugin("ema");
  const EnabledPlugin plugin = world.enable("ema");
  const fs::path manifest = Store(world.directories).path_of(plugin.manifest_digest, "plugin.json");
  fs::remove(manifest);
  CHECK_THROWS_WITH(select(world), Contains("is missing") && Contains("grapnel plugin enable ema"));
  CHECK(ids(select(world, {.no_plugins = {"ema"}})).empty());
}

TEST_CASE("arguments of --plugin are files when they look like one") {
  for (const char* file : {"./ema", "/usr/lib/ema", "ema.so", "ema.dll", "ema.grapnel.json"}) {
    CHECK(names_a_file(file));
  }
  for (const char* id : {"ema", "org.example.ema", "so", "sonic"}) CHECK_FALSE(names_a_file(id));
}

TEST_CASE(
    "a former id that another plugin has is not a plugin's own, whichever was enabled first") {
  const PluginWorld world;
  world.add_plugin("takeover", {.members = R"("aliases": ["guard", "old"],)"});
  world.enable("takeover");
  world.add_plugin("guard");
  world.enable("guard");
  const auto aliases = [&](const SelectionOptions& options) {
    const PluginSelection selection = select_plugins(options);
    for (const SelectedPlugin& plugin : selection.plugins) {
      if (plugin.manifest->id == "takeover") return plugin.manifest->aliases;
    }
    return std::vector<std::string>{"takeover is not selected"};
  };
  SelectionOptions options;
  options.discovery = world.discovery();
  options.environment = "";
  CHECK(aliases(options) == std::vector<std::string>{"old"});
  const auto notices = select_plugins(options).notices;
  CHECK(std::ranges::any_of(notices, [](const std::string& notice) {
    return notice.find("'takeover' calls 'guard' a former id of its own") != std::string::npos;
  }));
  // Its states are still in checkpoints when it is left out once.
  options.no_plugins = {"guard"};
  CHECK(aliases(options) == std::vector<std::string>{"old"});
  (void)disable_plugin("guard", world.directories);
  options.no_plugins = {};
  CHECK(aliases(options) == std::vector<std::string>{"guard", "old"});
  // Of two that claim it, neither has it.
  world.add_plugin("other", {.members = R"("aliases": ["old"],)"});
  options.plugins = {"other"};
  CHECK(aliases(options) == std::vector<std::string>{"guard"});
}

TEST_CASE("--no-plugin leaves out a plugin that --plugin names, by its file too") {
  const PluginWorld world;
  const fs::path library =
      world.add_plugin("ema", {.members = R"("aliases": ["old"],)"}, world.dir / "build");
  world.add_plugin("found");
  SelectionOptions options;
  options.discovery = world.discovery();
  options.environment = "";
  options.plugins = {library.string(), "found"};
  CHECK(select_plugins(options).plugins.size() == 2);
  options.no_plugins = {"ema", "found"};
  CHECK(select_plugins(options).plugins.empty());
  options.no_plugins = {"old"};
  REQUIRE(select_plugins(options).plugins.size() == 1);
  CHECK(select_plugins(options).plugins[0].manifest->id == "found");
  options.no_plugins = {"eman"};
  CHECK_THROWS_WITH(select_plugins(options), Contains("did you mean 'ema'?"));
}

}  // namespace selection_test
