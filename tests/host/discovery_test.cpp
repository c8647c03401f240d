#include <grapnel/host/discovery.h>

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include <grapnel/base/error.h>

#include "catch.h"
#include "ordinary_user.h"
#include "plugin_world.h"

namespace discovery_test {

using namespace grapnel;
using namespace grapnel::host;
using Catch::Contains;
using grapnel::test::PluginWorld;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> labels(const Discovery& discovery) {
  std::vector<std::string> labels;
  for (const Candidate& candidate : discovery.candidates) labels.push_back(candidate.label());
  return labels;
}

const Candidate& only(const Discovery& discovery) {
  REQUIRE(discovery.candidates.size() == 1);
  return discovery.candidates.front();
}

}  // namespace

TEST_CASE("a plugin is found with an embedded manifest, one next to it, or both") {
  const PluginWorld world;
  fs::copy_file(NAN_GUARD, world.plugins() / "inside.so");
  world.add_plugin("beside");
  fs::create_directory(world.dir / "more");
  fs::copy_file(NAN_GUARD, world.dir / "more/nan_guard.so");
  fs::copy_file(NAN_GUARD_MANIFEST, world.dir / "more/nan_guard.grapnel.json");

  const Discovery discovery = discover(world.discovery());
  CHECK(labels(discovery) == std::vector<std::string>{"beside", "nan_guard"});
  REQUIRE(discovery.find("beside") != nullptr);
  CHECK(discovery.find("beside")->manifest_file == world.plugins() / "beside.grapnel.json");
  CHECK(discovery.find("beside")->library == world.plugins() / "beside.so");
  CHECK(discovery.find("nan_guard")->manifest_file.empty());
  CHECK(discovery.find("nan_guard")->summary.callbacks == std::vector<std::string>{"nan_guard"});

  DiscoveryOptions both = world.discovery();
  both.plugin_path = {(world.dir / "more").string()};
  CHECK(only(discover(both)).usable());
}

TEST_CASE("directories are searched in the documented order") {
  const PluginWorld world;
  setenv("GRAPNEL_PLUGIN_PATH",
         ((world.dir / "e1").string() + ":" + (world.dir / "e2").string()).c_str(), 1);
  const auto path =
      plugin_search_path({(world.dir / "c1").string() + ":" + (world.dir / "c2").string(),
                          (world.dir / "c3").string()},
                         world.directories);
  unsetenv("GRAPNEL_PLUGIN_PATH");
  std::vector<fs::path> expected = {
      "c1", "c2", "c3", "e1", "e2", "project/.grapnel/plugins", "data/plugins", "installed"};
  REQUIRE(path.size() == expected.size());
  for (std::size_t i = 0; i < path.size(); ++i) CHECK(path[i].path == world.dir / expected[i]);
  CHECK(path[0].origin == SearchOrigin::option);
  CHECK(path[3].origin == SearchOrigin::environment);
  CHECK(path[5].origin == SearchOrigin::project);
  CHECK(path[6].origin == SearchOrigin::user);
  CHECK(path[7].origin == SearchOrigin::installed);
  CHECK_FALSE(path[0].exists);
}

TEST_CASE("a directory listed twice in the search path, or under two names, is searched once") {
  const PluginWorld world;
  world.add_plugin("ema");
  fs::create_directory_symlink(world.plugins(), world.dir / "other_name");
  DiscoveryOptions options = world.discovery();
  options.plugin_path.push_back((world.dir / "other_name").string());
  options.plugin_path.push_back(world.plugins().string() + "/");
  CHECK(only(discover(options)).usable());
}

TEST_CASE("of two plugins with one id the first is used, the other is listed as shadowed") {
  const PluginWorld world;
  const fs::path first = world.add_plugin("ema");
  world.add_plugin("ema", {.version = "2.0.0"}, world.directories.data / "plugins");
  const Discovery discovery = discover(world.discovery());
  REQUIRE(discovery.candidates.size() == 2);
  CHECK(discovery.find("ema")->library == first);
  CHECK(discovery.candidates[1].shadowed_by == first);
  CHECK(discovery.candidates[1].summary.version == "2.0.0");
}

TEST_CASE("a refused plugin does not shadow a good one") {
  const PluginWorld world;
  world.add_plugin("ema", {.abi_major = 9});
  const fs::path good = world.add_plugin("ema", {}, world.directories.data / "plugins");
  const Discovery discovery = discover(world.discovery());
  REQUIRE(discovery.find("ema") != nullptr);
  CHECK(discovery.find("ema")->library == good);
}

TEST_CASE("a plugin is found by a former id too") {
  const PluginWorld world;
  world.add_plugin("ema", {.members = R"("aliases": ["weight_average"],)"});
  const Discovery discovery = discover(world.discovery());
  REQUIRE(discovery.find("weight_average") != nullptr);
  CHECK(discovery.find("weight_average")->summary.id == "ema");
}

TEST_CASE("a manifest may name a library below its own directory") {
  const PluginWorld world;
  world.dir.write(world.plugins() / "ema.grapnel.json",
                  test::manifest_text("ema", {.members = R"("library": "lib/v1/ema.so",)"}));
  fs::create_directories(world.plugins() / "lib/v1");
  fs::copy_file(PLAIN_PLUGIN, world.plugins() / "lib/v1/ema.so");
  const Discovery discovery = discover(world.discovery());
  CHECK(only(discovery).usable());
  CHECK(only(discovery).library == world.plugins() / "lib/v1/ema.so");
}

TEST_CASE("a manifest cannot name a library outside its own directory") {
  const PluginWorld world;
  fs::copy_file(PLAIN_PLUGIN, world.dir / "outside.so");
  const auto refusal_of = [&](const std::string& library) {
    world.dir.write(world.plugins() / "ema.grapnel.json",
                    test::manifest_text("ema", {.members = "\"library\": \"" + library + "\","}));
    DiscoveryOptions options = world.discovery();
    options.use_cache = false;
    return only(discover(options)).refused;
  };
  CHECK_THAT(refusal_of("../outside.so"), Contains("is outside the manifest's directory"));
  CHECK_THAT(refusal_of((world.dir / "outside.so").string()), Contains("is outside"));
  CHECK_THAT(refusal_of("sub/../../outside.so"), Contains("is outside"));
  fs::create_symlink("../outside.so", world.plugins() / "link");
  CHECK_THAT(refusal_of("link"), Contains("names a library outside its own directory"));
  fs::create_directory_symlink("..", world.plugins() / "up");
  CHECK_THAT(refusal_of("up/outside.so"), Contains("names a library outside its own directory"));
}

TEST_CASE("plugins that cannot be used are listed with the reason") {
  const PluginWorld world;
  const auto reason = [&](const std::string& name) {
    for (const Candidate& candidate : discover(world.discovery()).candidates) {
      if (candidate.library.filename() == name) return candidate.refused;
    }
    return std::string("not listed");
  };
  fs::copy_file(PLAIN_PLUGIN, world.plugins() / "bare.so");
  CHECK_THAT(reason("bare.so"), Contains("it has no manifest") && Contains("grapnel_add_plugin()"));
  fs::copy_file(NO_PLUGIN, world.plugins() / "zlib.so");
  CHECK_THAT(reason("zlib.so"), Contains("not a Grapnel plugin") && Contains("grapnel_plugin_v0"));
  fs::copy_file(ENTRY_MISSING, world.plugins() / "no_entry.so");
  CHECK_THAT(reason("no_entry.so"), Contains("does not export the symbol grapnel_plugin_v0"));
  fs::copy_file(OTHER_MAJOR, world.plugins() / "newer.so");
  CHECK_THAT(reason("newer.so"),
             Contains("needs ABI " + AbiVersion{99, GRAPNEL_ABI_LOWEST_MINOR}.to_string() +
                      ", this host offers " + offered_abi() + "; update grapnel"));
  world.dir.write("plugins/text.so", "not a library");
  CHECK_THAT(reason("text.so"), Contains("not a shared library; it starts with 'not a library'"));
  world.dir.write("plugins/broken.grapnel.json", "{\"manifest_version\": 1,\n  \"id\": }");
  CHECK_THAT(reason("broken.so"),
             Contains("its manifest cannot be used: broken.grapnel.json:2:9:"));
  world.dir.write("plugins/alone.grapnel.json", test::manifest_text("alone"));
  CHECK_THAT(reason("alone.so"), Contains("does not exist"));
  mkfifo((world.plugins() / "pipe.so").c_str(), 0600);
  CHECK_THAT(reason("pipe.so"), Contains("not a regular file"));
  fs::create_directory(world.plugins() / "directory.so");
  CHECK_THAT(reason("directory.so"), Contains("not a regular file"));
  fs::create_symlink("/nowhere", world.plugins() / "dangling.so");
  CHECK_THAT(reason("dangling.so"), Contains("a broken symbolic link"));
  CHECK_THAT(reason("manifest_other.so"), Contains("not listed"));
}

TEST_CASE("a manifest next to a library that contradicts the embedded one is refused") {
  const PluginWorld world;
  fs::copy_file(NAN_GUARD, world.plugins() / "nan_guard.so");
  world.dir.write("plugins/nan_guard.grapnel.json", test::manifest_text("nan_guard"));
  CHECK_THAT(only(discover(world.discovery())).refused, Contains("differs from the one inside"));
}

TEST_CASE("files and directories that others can write are refused, though all else is right") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema");
  fs::permissions(library, fs::perms{0646});
  CHECK_THAT(only(discover(world.discovery())).refused, Contains("is writable by others"));
  CHECK(only(discover(world.discovery())).summary.id == "ema");
  fs::permissions(library, fs::perms{0644});
  CHECK(only(discover(world.discovery())).usable());
  // A directory's right changes nothing about the file itself: the cache must not hide it.
  fs::permissions(world.plugins(), fs::perms{0777});
  CHECK_THAT(only(discover(world.discovery())).refused, Contains("chmod go-w"));
  fs::permissions(world.plugins(), fs::perms{0755});
  fs::permissions(world.plugins() / "ema.grapnel.json", fs::perms{0666});
  CHECK_THAT(only(discover(world.discovery())).refused, Contains("ema.grapnel.json"));
}

TEST_CASE("a directory whose files cannot be looked at hides none of the others") {
  const PluginWorld world;
  world.add_plugin("ema");
  const fs::path closed = world.dir / "closed";
  world.add_plugin("other", {}, closed);
  DiscoveryOptions options = world.discovery();
  options.plugin_path.push_back(closed.string());
  const test::OrdinaryUser user(world.dir.path());
  fs::permissions(closed, fs::perms{0444});  // what is in it can be listed, not looked at
  const Discovery discovery = discover(options);
  fs::permissions(closed, fs::perms{0755});
  CHECK(discovery.find("ema") != nullptr);
  REQUIRE(discovery.candidates.size() == 3);
  CHECK_THAT(discovery.candidates[1].refused, Contains("cannot look at") && Contains("other"));
  CHECK(discovery.candidates[2].library == closed / "other.so");
}

TEST_CASE("a link to a plugin is followed, and what it leads to is checked") {
  const PluginWorld world;
  const fs::path target = world.add_plugin("ema", {}, world.dir / "elsewhere");
  fs::create_symlink(world.dir / "elsewhere/ema.grapnel.json",
                     world.plugins() / "ema.grapnel.json");
  CHECK(only(discover(world.discovery())).library == target);
  CHECK(only(discover(world.discovery())).usable());
  fs::permissions(world.dir / "elsewhere", fs::perms{0777});
  CHECK_THAT(only(discover(world.discovery())).refused, Contains("elsewhere"));
  fs::permissions(world.dir / "elsewhere", fs::perms{0755});
  fs::permissions(world.plugins(), fs::perms{0777});
  CHECK_THAT(only(discover(world.discovery())).refused, Contains("plugins' is writable"));
}

TEST_CASE("a plugin named by its path is examined with the manifest next to it") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema");
  for (const fs::path& named : {library, world.plugins() / "ema.grapnel.json"}) {
    const Candidate candidate = examine(named);
    CHECK(candidate.usable());
    CHECK(candidate.library == library);
    CHECK(candidate.origin == SearchOrigin::file);
  }
  CHECK_THROWS_AS(examine(world.plugins() / "absent.so"), IoError);
  CHECK_FALSE(examine(world.plugins()).usable());
}

}  // namespace discovery_test
