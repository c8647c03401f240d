#include <grapnel/host/inspection.h>

#include <filesystem>

#include <grapnel/base/error.h>

#include "catch.h"
#include "plugin_world.h"

namespace inspection_test {

using namespace grapnel;
using namespace grapnel::host;
using Catch::Contains;
using grapnel::test::PluginWorld;
namespace fs = std::filesystem;

TEST_CASE("a plugin is inspected by id, library or manifest") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema", {.version = "1.5.0"});
  for (const std::string& argument :
       {std::string("ema"), library.string(), (world.plugins() / "ema.grapnel.json").string()}) {
    const Inspection inspection = inspect_plugin(argument, world.discovery());
    CHECK(inspection.state == PluginState::disabled);
    CHECK(inspection.path == library);
    REQUIRE(inspection.manifest);
    CHECK(inspection.manifest->version == "1.5.0");
    REQUIRE(inspection.facts);
    CHECK(is_digest(inspection.digest));
  }
}

TEST_CASE("inspecting a plugin says whether this version is the one that runs") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema");
  world.enable("ema");
  CHECK(inspect_plugin("ema", world.discovery()).state == PluginState::enabled);
  world.add_plugin("ema", {.version = "2.0.0"});
  test::change_library(library);
  const Inspection inspection = inspect_plugin("ema", world.discovery());
  CHECK(inspection.state == PluginState::update_waits);
  CHECK(inspection.enabled_version == "1.0.0");
  CHECK_THAT(inspection.note, Contains("version 1.0.0 is in use"));
}

TEST_CASE("an enabled plugin whose file is gone is inspected from its copy") {
  const PluginWorld world;
  world.add_plugin("ema");
  const EnabledPlugin plugin = world.enable("ema");
  fs::remove_all(world.plugins());
  const Inspection inspection = inspect_plugin("ema", world.discovery());
  CHECK(inspection.state == PluginState::missing);
  CHECK(inspection.digest == plugin.digest);
  REQUIRE(inspection.manifest);
  CHECK(inspection.manifest->id == "ema");
}

TEST_CASE("an enabled plugin that is in no search path is inspected from its file") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema", {}, world.dir / "built");
  world.enable(library.string());
  Inspection inspection = inspect_plugin("ema", world.discovery());
  CHECK(inspection.state == PluginState::enabled);
  CHECK(inspection.path == library);
  CHECK(inspection.note.empty());
  world.add_plugin("ema", {.version = "2.0.0"}, world.dir / "built");
  test::change_library(library);
  inspection = inspect_plugin("ema", world.discovery());
  CHECK(inspection.state == PluginState::update_waits);
  CHECK_THAT(inspection.note, Contains("grapnel plugin enable") && Contains(library.string()));
}

TEST_CASE("a refused plugin is shown as far as it can be read") {
  const PluginWorld world;
  const fs::path library = world.add_plugin("ema", {.abi_major = 9});
  const Inspection inspection = inspect_plugin(library.string(), world.discovery());
  CHECK(inspection.state == PluginState::refused);
  CHECK_THAT(inspection.note, Contains("ABI 9."));
  CHECK(inspection.manifest);
  world.dir.write("plugins/ema.grapnel.json", "{");
  CHECK_FALSE(inspect_plugin("ema", world.discovery()).manifest);
}

TEST_CASE("inspecting an unknown id names the nearest one, a missing file is another error") {
  const PluginWorld world;
  world.add_plugin("grad_norm");
  CHECK_THROWS_WITH(inspect_plugin("grad-norm", world.discovery()),
                    Contains("did you mean 'grad_norm'?"));
  CHECK_THROWS_AS(inspect_plugin("/nowhere/ema.so", world.discovery()), IoError);
}

}  // namespace inspection_test
