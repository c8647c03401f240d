// Plugins are tried before they are enabled, and enabled together.
#include <grapnel/host/enabling.h>

#include <array>
#include <filesystem>
#include <string>

#include <grapnel/base/digest.h>
#include <grapnel/base/error.h>

#include "catch.h"
#include "plugin_world.h"

namespace enabling_test {

using namespace grapnel;
using namespace grapnel::host;
using Catch::Contains;
using grapnel::test::PluginWorld;
using Action = EnableResult::Action;
namespace fs = std::filesystem;

namespace {

EnableOptions with_probe(Force force = Force::no) {
  return {.force = force, .probe = {.program = GRAPNEL, .deadline_seconds = 60}};
}

Candidate hostile(const std::string& name) {
  return examine(fs::path(HOSTILE_DIRECTORY) / name / (name + ".so"));
}

std::string failure(const EnableOutcome& outcome) {
  if (!outcome.failure) return {};
  try {
    std::rethrow_exception(outcome.failure);
  } catch (const PluginError& error) {
    return error.what();
  }
}

EnableOutcome enable(const PluginWorld& world, const Candidate& candidate,
                     const EnableOptions& options = with_probe()) {
  return enable_plugins({candidate}, world.directories, options).front();
}

std::vector<std::string> enabled_ids(const PluginWorld& world) {
  std::vector<std::string> ids;
  for (const EnabledPlugin& plugin : read_enabled(world.directories).plugins) {
    ids.push_back(plugin.id);
  }
  return ids;
}

}  // namespace

TEST_CASE("a plugin with which every training would fail is not enabled") {
  const PluginWorld world;
  const auto refusal = [&](const std::string& name) {
    const std::string text = failure(enable(world, hostile(name)));
    CHECK_THAT(text,
               Contains("cannot enable plugin '" + name + "'") &&
                   Contains("grapnel plugin enable --force '" + hostile(name).library.string()));
    return text;
  };
  CHECK_THAT(refusal("load_crashes"), Contains("SIGSEGV") && Contains("while loading it"));
  CHECK_THAT(refusal("load_exits"), Contains("exited with 0 while loading it"));
  CHECK_THAT(refusal("constructor_throws"), Contains("create failed"));
  CHECK_THAT(refusal("init_refuses"), Contains("a moon of cheese"));
  CHECK_THAT(
      refusal("links_missing"),
      Contains("in a process of its own: the dynamic loader refused it: libhostile_missing.so.7"));
  CHECK(enabled_ids(world).empty());
}

TEST_CASE("a plugin is enabled by force, with what is wrong about it") {
  const PluginWorld world;
  const EnableOutcome outcome = enable(world, hostile("load_crashes"), with_probe(Force::yes));
  CHECK(failure(outcome).empty());
  REQUIRE(outcome.result.concerns.size() == 1);
  CHECK_THAT(outcome.result.concerns[0],
             Contains("trainings with it will fail") && Contains("SIGSEGV"));
  CHECK(enabled_ids(world) == std::vector<std::string>{"load_crashes"});
}

TEST_CASE("a fault that no training meets is told, and the plugin is enabled") {
  const PluginWorld world;
  for (const char* name : {"create_changes_process", "destructor_crashes"}) {
    INFO(name);
    const EnableOutcome outcome = enable(world, hostile(name));
    CHECK(failure(outcome).empty());
    CHECK(outcome.result.concerns.size() == 1);
  }
  CHECK(enabled_ids(world).size() == 2);
}

TEST_CASE("a library that passed is not tried again, one with another manifest is") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema");
  CHECK(failure(enable(world, examine(library))).empty());
  // A program that can't probe is not even started.
  const EnableOptions broken = {.probe = {.program = "/bin/false"}};
  CHECK(failure(enable(world, examine(library), broken)).empty());
  world.add_plugin("ema", {.version = "2.0.0"});
  CHECK_THAT(failure(enable(world, examine(library), broken)),
             Contains("the probe could not start") && Contains("--force '" + library.string()));
}

TEST_CASE("enabling tells what else a library is linked with") {
  const PluginWorld world;
  const EnableOutcome outcome = enable(world, hostile("links_libtorch"), with_probe(Force::yes));
  CHECK(outcome.result.links == std::vector<std::string>{"libtorch_cpu.so"});
  CHECK(enable(world, examine(NAN_GUARD)).result.links.empty());
}

TEST_CASE("many plugins are enabled together, in their order, and one that fails stops no other") {
  const PluginWorld world;
  std::vector<Candidate> candidates;
  std::vector<std::string> expected;
  for (int i = 0; i < 40; ++i) {
    const std::string id = "plugin" + std::to_string(i);
    const fs::path library = world.add_plugin(id);
    test::change_library(library);
    std::ofstream(library, std::ios::app) << i;
    candidates.push_back(examine(library));
    expected.push_back(id);
    if (i == 20) candidates.push_back(hostile("load_crashes"));
  }
  const auto outcomes = enable_plugins(candidates, world.directories, with_probe());
  REQUIRE(outcomes.size() == 41);
  CHECK_THAT(failure(outcomes[21]), Contains("load_crashes"));
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (i != 21) CHECK(failure(outcomes[i]) == "");
  }
  CHECK(enabled_ids(world) == expected);
  const Store store(world.directories);
  for (const EnabledPlugin& plugin : read_enabled(world.directories).plugins) {
    CHECK(read_enabled_manifest(plugin, store)->id == plugin.id);
  }
}

TEST_CASE("plugins that are tried together are tried alone when one of them fails") {
  const PluginWorld world;
  std::vector<Candidate> candidates;
  for (const char* id : {"a", "b", "c"}) {
    const fs::path library = world.add_plugin(id);
    std::ofstream(library, std::ios::app) << id;
    candidates.push_back(examine(library));
  }
  candidates.push_back(hostile("load_crashes"));
  candidates.push_back(hostile("init_refuses"));
  const ProbeOptions options = with_probe().probe;
  const auto pointers = [&](std::vector<int> wanted) {
    std::vector<const Candidate*> found;
    for (const int index : wanted) found.push_back(&candidates[static_cast<std::size_t>(index)]);
    return found;
  };
  CHECK(probe_together(pointers({0, 3, 1}), world.directories, options).empty());
  CHECK(probe_together(pointers({0, 4}), world.directories, options).empty());
  CHECK_FALSE(recorded_probe(hex(sha256_file(candidates[0].library)), world.directories));
  const auto results = probe_together(pointers({2, 0, 1}), world.directories, options);
  REQUIRE(results.size() == 3);
  for (const ProbeResult& result : results) CHECK(result.ok());
  CHECK(results[0].digest == hex(sha256_file(candidates[2].library)));
  CHECK(recorded_probe(results[1].digest, world.directories)->ok());
}

TEST_CASE("a copy that was changed or lost is repaired, and said to be") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema");
  const EnabledPlugin plugin = enable(world, examine(library)).result.plugin;
  const Store store(world.directories);
  const fs::path copy = store.path_of(plugin.digest, plugin.file);
  fs::permissions(copy, fs::perms{0600});
  test::change_library(copy);
  CHECK(enable(world, examine(library)).result.action == Action::repaired);
  fs::remove(store.path_of(plugin.manifest_digest, "plugin.json"));
  CHECK(enable(world, examine(library)).result.action == Action::repaired);
  CHECK(enable(world, examine(library)).result.action == Action::unchanged);
  // The same bytes from another file are no repair.
  fs::create_directory(world.dir / "other");
  const fs::path renamed = world.dir / "other/average.so";
  fs::copy_file(library, renamed);
  fs::copy_file(world.plugins() / "ema.grapnel.json", world.dir / "other/average.grapnel.json");
  CHECK(enable(world, examine(renamed)).result.action == Action::unchanged);
  CHECK(read_enabled(world.directories).plugins.front().file == "average.so");
}

TEST_CASE("a plugin whose order contradicts that of an enabled one is refused at once") {
  const PluginWorld world;
  world.add_plugin("a", {.members = R"("before": ["b"],)"});
  world.enable("a");
  const fs::path library = world.add_plugin("b", {.members = R"("before": ["a"],)"});
  CHECK_THAT(failure(enable(world, examine(library))),
             Contains("cannot enable plugin 'b'") && Contains("'a' after 'b' after 'a'") &&
                 Contains("--force '" + library.string()));
  CHECK(enabled_ids(world) == std::vector<std::string>{"a"});
  const EnableOutcome forced = enable(world, examine(library), with_probe(Force::yes));
  CHECK(failure(forced).empty());
  CHECK(forced.result.concerns.size() == 1);
  // Others are not to blame for it.
  CHECK(failure(enable(world, examine(world.add_plugin("c")))).empty());
}

TEST_CASE("of plugins that are enabled together, the one that contradicts the others is refused") {
  const PluginWorld world;
  const std::vector<Candidate> candidates = {
      examine(world.add_plugin("a", {.members = R"("before": ["b"],)"})),
      examine(world.add_plugin("b", {.members = R"("before": ["a"],)"})),
      examine(world.add_plugin("c"))};
  const auto outcomes = enable_plugins(candidates, world.directories, with_probe());
  CHECK(failure(outcomes[0]).empty());
  CHECK_THAT(failure(outcomes[1]), Contains("'b'"));
  CHECK(failure(outcomes[2]).empty());
  CHECK(enabled_ids(world) == std::vector<std::string>{"a", "c"});
}

TEST_CASE("an id that is also the name of another plugin's callback is told, in both orders") {
  const std::string qualified = "k.manifest_absent";
  for (const auto& order : {std::array<std::string, 2>{"k", qualified}, {qualified, "k"}}) {
    INFO(order[0]);
    const PluginWorld world;
    CHECK(enable(world, examine(world.add_plugin(order[0]))).result.concerns.empty());
    const auto concerns = enable(world, examine(world.add_plugin(order[1]))).result.concerns;
    REQUIRE(concerns.size() == 1);
    CHECK_THAT(concerns[0],
               Contains("settings under 'k.manifest_absent'") && Contains("plugin 'k'"));
  }
}

TEST_CASE("a record that gives a plugin another's copy says so, and enabling mends it") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema");
  world.enable("ema");
  ConfigValue tree = read_json_file(enabled_file(world.directories));
  tree.find("plugins")->as_array().front().set("id", "nan_guard");
  tree.find("plugins")->as_array().front().set("origin", NAN_GUARD);
  world.dir.write("config/plugins.json", write_json(tree));
  const EnabledPlugin plugin = read_enabled(world.directories).plugins.front();
  CHECK_THROWS_WITH(read_enabled_manifest(plugin, Store(world.directories)),
                    Contains("cannot use plugin 'nan_guard'") && Contains("copy of plugin 'ema'") &&
                        Contains("grapnel plugin enable nan_guard"));
  CHECK(enable(world, examine(NAN_GUARD)).result.action == Action::updated);
  CHECK(read_enabled_manifest(read_enabled(world.directories).plugins.front(),
                              Store(world.directories))
            ->id == "nan_guard");
}

TEST_CASE("plugins are disabled together, each with its result") {
  const PluginWorld world;
  for (const char* id : {"a", "b", "c"}) {
    world.add_plugin(id);
    world.enable(id);
  }
  const auto results = disable_plugins({"a", "never", "c", "a"}, world.directories);
  CHECK(results == std::vector{DisableResult::disabled, DisableResult::noted,
                               DisableResult::disabled, DisableResult::unchanged});
  CHECK(enabled_ids(world) == std::vector<std::string>{"b"});
}

}  // namespace enabling_test
