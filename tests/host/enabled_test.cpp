#include <grapnel/host/enabling.h>

#include <sys/stat.h>

#include <filesystem>
#include <set>
#include <thread>

#include <grapnel/base/error.h>

#include "catch.h"
#include "copied_manifest.h"
#include "plugin_world.h"

namespace enabled_test {

using namespace grapnel;
using namespace grapnel::host;
using grapnel::test::PluginWorld;
using Action = EnableResult::Action;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

EnableResult enable(const PluginWorld& world, const fs::path& library) {
  return enable_plugin(examine(library), world.directories);
}

// A record of one plugin whose copy has this name.
std::string with_file(const std::string& file) {
  const std::string digest(64, 'a');
  return R"({"format": 1, "plugins": [{"id": "x", "version": "1.0.0", "digest": ")" + digest +
         R"(", "manifest_digest": ")" + digest + R"(", "file": ")" + file +
         R"(", "origin": "o"}]})";
}

}  // namespace

TEST_CASE("enabling records id, version, digests and origin") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema", {.version = "1.2.0"});
  const EnableResult result = enable(world, library);
  CHECK(result.action == Action::enabled);
  const EnabledPlugins enabled = read_enabled(world.directories);
  REQUIRE(enabled.plugins.size() == 1);
  const EnabledPlugin& plugin = enabled.plugins.front();
  CHECK(plugin.id == "ema");
  CHECK(plugin.version == "1.2.0");
  CHECK(plugin.origin == library);
  CHECK(plugin.file == "ema.so");
  CHECK(is_digest(plugin.digest));
  CHECK(plugin.enabled_at.size() == std::string("2026-01-31T09:00:00Z").size());
  CHECK(Store(world.directories).holds(plugin.digest, plugin.file));
  CHECK(read_enabled_manifest(plugin, Store(world.directories))->version == "1.2.0");
}

TEST_CASE("a manifest is parsed once: where the copy holds the examined one, it is shared") {
  const PluginWorld world;
  for (const fs::path& library : {fs::path(NAN_GUARD), world.add_plugin("ema")}) {
    const Candidate candidate = examine(library);
    REQUIRE(candidate.manifest);
    CHECK(read_manifest(candidate) == candidate.manifest);
    const StoredFile copy = Store(world.directories).put_library(candidate);
    CHECK(manifest_of_copy(candidate, copy) == candidate.manifest);
    Candidate cached = candidate;  // as the scan cache returns it
    cached.manifest = nullptr;
    CHECK(manifest_of_copy(cached, copy)->text == candidate.manifest->text);
  }
}

TEST_CASE("enabling an enabled plugin changes nothing") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema");
  const EnableResult first = enable(world, library);
  const EnableResult second = enable(world, library);
  CHECK(second.action == Action::unchanged);
  CHECK(second.plugin.enabled_at == first.plugin.enabled_at);
  CHECK(read_enabled(world.directories).plugins.size() == 1);
}

TEST_CASE("enabling another version replaces the one before, in its place") {
  const PluginWorld world;
  enable(world, world.add_plugin("ema", {.version = "1.0.0"}));
  enable(world, world.add_plugin("zeta"));
  const EnableResult result = enable(world, world.add_plugin("ema", {.version = "2.0.0"}));
  CHECK(result.action == Action::updated);
  CHECK(result.previous_version == "1.0.0");
  const EnabledPlugins enabled = read_enabled(world.directories);
  REQUIRE(enabled.plugins.size() == 2);
  CHECK(enabled.plugins[0].version == "2.0.0");
}

TEST_CASE("enabling another build of the same version updates the record") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema");
  enable(world, library);
  test::change_library(library);
  CHECK(enable(world, library).action == Action::updated);
}

TEST_CASE("a renamed plugin replaces the record of its former id") {
  const PluginWorld world;
  enable(world, world.add_plugin("weight_average"));
  const fs::path renamed =
      world.add_plugin("ema", {.members = R"("aliases": ["weight_average"],)"});
  const EnableResult result = enable_plugin(examine(renamed), world.directories, Replace::yes);
  CHECK(result.action == Action::updated);
  REQUIRE(result.replaced.size() == 1);
  CHECK_THAT(result.replaced[0], Contains("'weight_average' 1.0.0"));
  const EnabledPlugins enabled = read_enabled(world.directories);
  REQUIRE(enabled.plugins.size() == 1);
  CHECK(enabled.plugins[0].id == "ema");
}

TEST_CASE("a plugin doesn't take the place of others by calling their ids former ones of its own") {
  const PluginWorld world;
  enable(world, world.add_plugin("nan_guard"));
  enable(world, world.add_plugin("grad_norm"));
  const fs::path taker =
      world.add_plugin("takeover", {.members = R"("aliases": ["nan_guard", "grad_norm"],)"});
  CHECK_THROWS_WITH(enable_plugin(examine(taker), world.directories),
                    Contains("'nan_guard' is a former id of its own") &&
                        Contains("grapnel plugin enable --replace takeover"));
  const EnabledPlugins enabled = read_enabled(world.directories);
  REQUIRE(enabled.plugins.size() == 2);
  CHECK(enabled.plugins[0].id == "nan_guard");
  CHECK(enabled.plugins[1].id == "grad_norm");
}

TEST_CASE(
    "a plugin that is only found keeps its id from one that calls it a former id of its own") {
  const PluginWorld world;
  world.add_plugin("nan_guard");
  const fs::path taker =
      world.add_plugin("takeover", {.members = R"("aliases": ["moved", "nan_guard"],)"});
  const auto enable = [&](Replace replace) {
    return enable_plugins({examine(taker)}, world.directories,
                          {.replace = replace, .others = world.discovery()})
        .front();
  };
  const EnableOutcome refused = enable(Replace::no);
  REQUIRE(refused.failure);
  CHECK_THROWS_WITH(std::rethrow_exception(refused.failure),
                    Contains("'nan_guard' is a former id of its own, and there is plugin "
                             "'nan_guard' 1.0.0 (") &&
                        Contains("enable --replace"));
  CHECK(read_enabled(world.directories).plugins.empty());
  CHECK_FALSE(enable(Replace::yes).failure);
  fs::remove(world.plugins() / "nan_guard.so");
  CHECK_FALSE(enable(Replace::no).failure);
}

TEST_CASE("a refused or shadowed plugin is not enabled, with the reason") {
  const PluginWorld world;
  Candidate candidate = examine(world.add_plugin("ema", {.abi_major = 9}));
  CHECK_THROWS_WITH(enable_plugin(candidate, world.directories),
                    Contains("cannot enable plugin 'ema' 1.0.0 (") && Contains("needs ABI 9."));
  candidate = examine(world.add_plugin("ema"));
  candidate.shadowed_by = "/first/ema.so";
  CHECK_THROWS_WITH(enable_plugin(candidate, world.directories), Contains("/first/ema.so"));
  CHECK_FALSE(fs::exists(enabled_file(world.directories)));
}

TEST_CASE("disabling forgets the plugin and keeps its copy") {
  const PluginWorld world;
  const EnabledPlugin plugin = enable(world, world.add_plugin("ema")).plugin;
  CHECK(disable_plugin("ema", world.directories) == DisableResult::disabled);
  CHECK(disable_plugin("ema", world.directories) == DisableResult::unchanged);
  CHECK(read_enabled(world.directories).plugins.empty());
  CHECK(read_enabled(world.directories).is_disabled("ema"));
  CHECK(Store(world.directories).holds(plugin.digest, plugin.file));
  CHECK(disable_plugin("never_enabled", world.directories) == DisableResult::noted);
  enable(world, world.plugins() / "ema.so");
  CHECK_FALSE(read_enabled(world.directories).is_disabled("ema"));
}

TEST_CASE("a manifest that was exchanged since it was examined is not taken") {
  const PluginWorld world;
  const Candidate candidate = examine(world.add_plugin("ema"));
  world.dir.write("plugins/ema.grapnel.json", test::manifest_text("ema", {.version = "6.6.6"}));
  CHECK_THROWS_WITH(
      enable_plugin(candidate, world.directories),
      Contains("the manifest of plugin 'ema' 1.0.0") && Contains("changed while it was read"));
  CHECK_FALSE(fs::exists(enabled_file(world.directories)));
}

TEST_CASE("a damaged record is an error that says so, and is left as it is") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema");
  for (const std::string& content : std::vector<std::string>{
           "{\"format\": 1, \"plugins\": [", "[]", "{\"format\": 2}", "{}",
           R"({"format": 1, "plugins": [{"id": "x"}]})",
           R"({"format": 1, "plugins": [{"id": "x", "version": "1.0.0", "digest": "../../x",
            "manifest_digest": "y", "file": "f", "origin": "o"}]})",
           with_file("."), with_file("a/b.so"), with_file("..\\\\b.so"),
           with_file(std::string(300, 'a')), ""}) {
    INFO(content);
    world.dir.write("config/plugins.json", content);
    CHECK_THROWS_WITH(read_enabled(world.directories),
                      Contains("the record of enabled plugins cannot be used") &&
                          Contains("plugins.json") && Contains("enable the plugins again"));
    CHECK_THROWS_AS(enable(world, library), ConfigError);
    CHECK_THROWS_AS(disable_plugin("ema", world.directories), ConfigError);
    CHECK(test::read_file(world.directories.config / "plugins.json") == content);
  }
}

TEST_CASE("a record that is no file, or far too long, is an error with the same advice") {
  const PluginWorld world;
  const fs::path record = enabled_file(world.directories);
  const auto check = [&](const std::string& found) {
    CHECK_THROWS_WITH(read_enabled(world.directories),
                      Contains("the record of enabled plugins cannot be used: ") &&
                          Contains(found) && Contains("enable the plugins again"));
    CHECK_THROWS_AS(read_enabled(world.directories), ConfigError);
  };
  fs::create_directories(record);
  fs::permissions(world.directories.config, fs::perms::owner_all);
  check("it is not a regular file");
  fs::remove(record);
  REQUIRE(mkfifo(record.c_str(), 0600) == 0);
  check("it is not a regular file");
  fs::remove(record);
  std::ofstream(record) << "{}";
  fs::permissions(record, fs::perms{0600});
  fs::resize_file(record, std::uintmax_t{200} << 20);
  check("at most");
}

TEST_CASE("a record of enabled plugins that others can write is not used") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema");
  enable(world, library);
  const fs::path record = enabled_file(world.directories);
  CHECK(fs::status(record).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  fs::permissions(record, fs::perms{0646});
  const std::string content = test::read_file(record);
  CHECK_THROWS_WITH(read_enabled(world.directories),
                    Contains("the record of enabled plugins cannot be used") &&
                        Contains("is writable by others (mode 0646)") && Contains("chmod go-w"));
  CHECK_THROWS_AS(disable_plugin("ema", world.directories), ConfigError);
  CHECK(test::read_file(record) == content);
  fs::permissions(record, fs::perms{0600});
  fs::permissions(world.directories.config, fs::perms{0777});
  CHECK_THROWS_AS(read_enabled(world.directories), ConfigError);
}

TEST_CASE("keys that this version does not know are kept") {
  const PluginWorld world;
  enable(world, world.add_plugin("ema"));
  ConfigValue tree = read_json_file(enabled_file(world.directories));
  tree.set("quarantine", ConfigValue::array());
  tree.find("plugins")->as_array().front().set("comment", "mine");
  tree.set("trust_all_drop_ins", true);
  world.dir.write("config/plugins.json", write_json(tree));
  enable(world, world.add_plugin("zeta"));
  tree = read_json_file(enabled_file(world.directories));
  CHECK(tree.contains("quarantine"));
  CHECK(tree.at("plugins").as_array().front().at("comment").as_string() == "mine");
  CHECK(read_enabled(world.directories).trust_all_drop_ins);
  CHECK(read_enabled(world.directories).plugins.size() == 2);
}

TEST_CASE("programs that enable and disable at the same time lose nothing") {
  const PluginWorld world;
  constexpr int count = 8;
  std::vector<Candidate> candidates;
  for (int i = 0; i < count; ++i) {
    candidates.push_back(examine(world.add_plugin("plugin" + std::to_string(i))));
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      (void)enable_plugin(candidates[i], world.directories);
      if (i % 2 == 1) (void)disable_plugin(candidates[i].summary.id, world.directories);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> ids;
  for (const EnabledPlugin& plugin : read_enabled(world.directories).plugins) ids.insert(plugin.id);
  CHECK(ids == std::set<std::string>{"plugin0", "plugin2", "plugin4", "plugin6"});
}

TEST_CASE("a manifest that was changed in the store is not used") {
  const PluginWorld world;
  const EnabledPlugin plugin = enable(world, world.add_plugin("ema")).plugin;
  const Store store(world.directories);
  const fs::path kept = store.path_of(plugin.manifest_digest, "plugin.json");
  fs::permissions(kept, fs::perms{0600});
  std::ofstream(kept) << test::manifest_text("ema", {.version = "6.6.6"});
  CHECK_THROWS_WITH(read_enabled_manifest(plugin, store),
                    Contains("was changed") && Contains("grapnel plugin enable ema"));
}

}  // namespace enabled_test
